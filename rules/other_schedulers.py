"""Changes of the plugins for schedulers other than Slurm; patches.md has the report of each fault.

Grid Engine and PBS are used by the plugin cluster-generic. LSF and HTCondor have plugins of their own, which do not
read all of what a job asks for.
"""

import shlex
import subprocess
import time
from collections.abc import Callable, Mapping

from snakemake.iocontainers import ResourceList
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from rules.patches import has_newer_input, work_of


def resuming_executor(executor: type) -> type:
    """The executor of cluster-generic, which watches a job that still runs instead of submitting it again.

    An interrupt cancels all jobs that have not ended; the plugin's own list is empty while it asks for states.
    """

    class ResumingExecutor(executor):
        def __post_init__(self) -> None:
            self.unended = {}  # infos of jobs by id
            super().__post_init__()

        def run_job(self, job: object) -> None:
            """Resume the job that is stored for these outputs if it does the same work, and otherwise submit one."""
            for stored in self.workflow.persistence.external_jobids(job):
                job_id, _, work = stored.partition(" ")
                if not self._runs(job_id):
                    continue
                if work == work_of(job) and not has_newer_input(self.workflow.persistence, job):
                    self.logger.info(f"Job {job.jobid} is resumed: job {job_id} of the scheduler still runs.")
                    self.report_job_submission(SubmittedJobInfo(job, external_jobid=job_id), register_job=False)
                    return
                self.logger.info(f"Job {job_id} has other settings or older inputs: it is cancelled.")
                subprocess.run([self.workflow.executor_settings.cancel_cmd, job_id], capture_output=True)
                while self._runs(job_id):
                    time.sleep(2)
            super().run_job(job)

        def _runs(self, job_id: str) -> bool:
            command = f"{self.workflow.executor_settings.status_cmd} {shlex.quote(job_id)}"
            return subprocess.check_output(command, shell=True, text=True).strip() == "running"

        def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
            """Store the job's id with a hash of its work, for `run_job` of the next start."""
            super().report_job_submission(job_info, register_job=False)
            self.unended[job_info.external_jobid] = job_info
            if register_job:
                job_info.job.register(external_jobid=f"{job_info.external_jobid} {work_of(job_info.job)}")

        def report_job_success(self, job_info: SubmittedJobInfo) -> None:
            self.unended.pop(job_info.external_jobid, None)
            super().report_job_success(job_info)

        def report_job_error(self, job_info: SubmittedJobInfo, **options: object) -> None:
            self.unended.pop(job_info.external_jobid, None)
            super().report_job_error(job_info, **options)

        def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
            super().cancel_jobs(list(self.unended.values()))

    return ResumingExecutor


def translating_executor(executor: type, words: Callable[[Mapping], dict[str, object]]) -> type:
    """An executor that adds to each job's resources, before it submits the job, the same in its plugin's words."""

    class TranslatingExecutor(executor):
        def run_job(self, job: object) -> None:
            asked = dict(job.resources.items())
            asked |= words(asked)
            job._resources = asked if job.is_group() else ResourceList(fromdict=asked)
            super().run_job(job)

    return TranslatingExecutor


def words_of_lsf(asked: Mapping) -> dict[str, object]:
    """GPUs as options of bsub, before the site's own options."""
    gpus = asked.get("gpu") or 0
    return {"lsf_extra": f"-gpu num={gpus} {asked.get('lsf_extra') or ''}".strip()} if gpus else {}


def words_of_htcondor(asked: Mapping) -> dict[str, object]:
    """GPUs and memory in the names of HTCondor's plugin."""
    gpus = asked.get("gpu") or 0
    return {"htcondor_request_mem_mb": asked.get("mem_mb")} | ({"request_gpus": gpus} if gpus else {})


def apply() -> None:
    """Change the plugins that are installed."""
    registry = ExecutorPluginRegistry()
    changes = {
        "cluster-generic": resuming_executor,
        "lsf": lambda executor: translating_executor(executor, words_of_lsf),
        "htcondor": lambda executor: translating_executor(executor, words_of_htcondor),
    }
    for name, change in changes.items():
        if registry.is_installed(name):
            plugin = registry.get_plugin(name)
            plugin.executor = change(plugin.executor)
