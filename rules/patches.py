"""Changes of Snakemake and of its Slurm plugin, for these versions alone; patches.md has the report of each fault.

Two rules keep what a job has done. The process in a job, not the main process, records that the job's outputs are
complete, so that this holds when nobody watches; and a start that finds the id of a scheduler job stored for an output
asks the scheduler about this job before it submits another.
"""

import asyncio
import gc
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snakemake import common
from snakemake import rules as rules_of_snakemake
from snakemake.exceptions import WorkflowError
from snakemake.executors import local
from snakemake.jobs import GroupJob, Job
from snakemake.logging import logger
from snakemake.output_index import OutputIndex
from snakemake.persistence import PersistenceBase
from snakemake.persistence.file import FilePersistence
from snakemake.resources import GroupResources
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import MaxJobsPerTimespan
from snakemake_executor_plugin_slurm.utils import get_job_wildcards
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from rules.limits import NODES, unmet_requests
from tabpo.processes.lease import LEASE_S, held, is_dead, read_owner

VERSIONS = {
    "snakemake": "9.27.1",
    "snakemake-executor-plugin-slurm": "2.8.0",
    "snakemake-executor-plugin-slurm-jobstep": "0.6.1",
}
RESTARTS = "TABPO_RESTARTS"
"""Environment variable in a job: how often the scheduler has started it before."""


def check_versions() -> None:
    """End with a message unless the installed versions are those that this file was written for."""
    for package, wanted in VERSIONS.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            installed = "none"
        if installed != wanted:
            sys.exit(f"ConfigError: {package} {installed} is installed; rules/patches.py is for {wanted}: make setup")


def lift_default_rate() -> None:
    """Remove the default limit of 100 job starts a second; a limit that the user sets holds.

    With a limit, Snakemake examines all ready jobs again one second after each examination, and every ended job adds
    one more examination a second, until they take the whole time of a core.
    """
    MaxJobsPerTimespan.__bool__ = lambda limit: (limit.max_jobs, limit.timespan) != (100, 1)


def plan_in_less_time() -> None:
    """Compute once what Snakemake computes many times with the same result, and collect garbage less often.

    This is done for the rules that make a file (computed for each job that reads it), the parameters of a function (for
    each call) and the command of a job (three times for the message about its start). Python's garbage collector
    examines the objects of all jobs at each run; it runs after 200,000 new objects.
    """
    gc.set_threshold(200_000)
    producers, parameters = lru_cache(None)(OutputIndex.match_producers), lru_cache(None)(common.get_function_params)
    OutputIndex.match_producers = lambda index, file: producers(index, str(file))
    common.get_function_params = rules_of_snakemake.get_function_params = parameters
    log_info, command, commands = Job.log_info, Job.shellcmd.fget, {}

    def log_info_once(job: Job, **options: object) -> None:
        commands[job] = command(job)
        log_info(job, **options)
        del commands[job]

    Job.log_info = log_info_once
    Job.shellcmd = property(lambda job: commands[job] if job in commands else command(job))


def remove_checkpoints_when_accepted() -> None:
    """Remove the folder `params.checkpoints` of a job as soon as Snakemake has found all its outputs."""
    postprocess = Job.postprocess

    async def accept(job: Job, *, error: bool = False, **options: object) -> None:
        await postprocess(job, error=error, **options)
        if not error and (folder := job.params.get("checkpoints")):
            shutil.rmtree(folder, ignore_errors=True)

    Job.postprocess = accept


def is_recorded(job: Job) -> bool:
    """Whether the process in a job has recorded that the outputs are complete: they are no longer marked."""
    persistence = job.dag.workflow.persistence
    persistence._clear_cache()
    return not persistence._filter_incomplete_keys([persistence._get_key(file) for file in job.output])


def in_a_job() -> None:
    """Let the Snakemake in a job record success, and delete nothing that another start of the job may have written.

    - Success is recorded with the settings that the job had, and the stored id of the scheduler job is removed.
    - Failure removes neither that id nor files: the main process does so once the scheduler says that the job is over.
    - If the scheduler has started the job before, that start may still run on a node that is cut off. Then nothing is
      removed at the start, and the command is not run if the other start has finished.
    """
    os.environ.setdefault(RESTARTS, os.environ.get("SLURM_RESTART_COUNT", "0"))
    restarted = int(os.environ[RESTARTS]) > 0
    postprocess, finished = Job.postprocess, PersistenceBase.finished
    remove, run = Job.remove_existing_output, local.Executor.run_single_job

    async def keep_if_failed(job: Job, *, error: bool = False, **options: object) -> None:
        if not error:
            await postprocess(job, **options)

    async def record(persistence: PersistenceBase, job: Job) -> None:
        workflow = job.dag.workflow
        settings = workflow.remote_execution_settings
        workflow.remote_execution_settings = replace(settings, immediate_submit=True)  # the case in which jobs record
        try:
            await finished(persistence, job)
        finally:
            workflow.remote_execution_settings = settings

    async def remove_unless_restarted(job: Job) -> None:
        if not restarted:
            await remove(job)

    def run_unless_finished(executor: local.Executor, job: Job) -> object:
        if restarted and is_recorded(job):
            logger.info("An earlier start of this job has finished it.")
            return executor.pool.submit(lambda: None)
        return run(executor, job)

    PersistenceBase.started = lambda persistence, job, external_jobid=None: None
    PersistenceBase.cleanup = lambda persistence, job: None
    PersistenceBase.finished = record
    Job.postprocess = keep_if_failed
    Job.remove_existing_output = remove_unless_restarted
    local.Executor.run_single_job = run_unless_finished


def let_groups_be_like_their_first_job() -> None:
    """Give a group the wildcards of its jobs, and submit it to the first job's partition and with its options.

    Snakemake refuses a group whose jobs have different partitions, and the Slurm plugin gives all groups one comment.
    """
    GroupResources._is_string_resource = lambda name, values: not all(isinstance(value, int) for value in values)
    GroupJob.wildcards = property(lambda group: group.merged_wildcards())


def keep_what_a_failed_group_has_finished() -> None:
    """Delete no output of a job that has recorded its success, as the first job of a group whose second job failed."""
    postprocess = Job.postprocess

    async def keep(job: Job, *, error: bool = False, **options: object) -> None:
        if not (error and is_recorded(job)):
            await postprocess(job, error=error, **options)

    Job.postprocess = keep


def succeed_if_all_is_done_at_sigterm() -> None:
    """After SIGTERM, which lets running jobs finish, let the call succeed if no other job is left but `all`."""
    schedule = JobScheduler.schedule

    def judge(scheduler: JobScheduler) -> bool:
        succeeded = schedule(scheduler)
        left = scheduler.failed or scheduler._executor_error or [job for job in scheduler.remaining_jobs if job.output]
        return succeeded or (scheduler._user_kill == "graceful" and not left)

    JobScheduler.schedule = judge


def name_the_owner_of_locks() -> None:
    """Store beside Snakemake's locks who holds them; take over the locks of a dead process, and name a living one.

    The end of a run removes its own locks alone, not those of another study in the same folder.
    """
    lock, delete = FilePersistence.lock, FilePersistence._delete_locks

    @contextmanager
    def lock_with_owner(persistence: FilePersistence) -> Iterator[None]:
        for taken in _overlapping_locks(persistence):
            file = taken.with_suffix(".owner")
            owner = read_owner(file)
            logger.info(f"{taken} is there: looking whether {owner or 'its owner'} still runs (up to {LEASE_S:.0f} s).")
            if not file.exists() or not is_dead(file, owner):
                raise WorkflowError(_locked(owner or "another process"))
            logger.warning(f"{owner or 'A process'} ended without removing its lock {taken}: it is removed.")
            taken.unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        with lock(persistence), ExitStack() as owned:
            for file in persistence._lockfile.values():
                owned.enter_context(held(Path(file).with_suffix(".owner")))
            yield

    def delete_own(persistence: FilePersistence) -> None:
        if not persistence._lockfile:  # `--unlock`
            delete(persistence)
        for file in persistence._lockfile.values():
            Path(file).unlink(missing_ok=True)
        persistence._lockfile.clear()

    FilePersistence.lock = lock_with_owner
    FilePersistence._delete_locks = delete_own


def _overlapping_locks(persistence: FilePersistence) -> list[Path]:
    """The locks that have a file of this run."""
    inputs = {str(file) for file in persistence.all_inputfiles()}
    outputs = {str(file) for file in persistence.all_outputfiles()}
    refused = {"input": outputs, "output": inputs | outputs}
    return [
        file
        for kind, files in refused.items()
        for file in Path(persistence._lockdir).glob(f"*.{kind}.lock")
        if not files.isdisjoint(file.read_text().split("\n"))
    ]


def _locked(owner: object) -> str:
    jobs = [line for line in (_ask("squeue", "--me", "--noheader", "--format=%i %T %k|%Z") or "").split("\n") if line]
    here = [line.rpartition("|")[0] for line in jobs if line.rpartition("|")[2] == os.getcwd()]
    return (
        f"{owner} makes files of this study in {os.getcwd()}.\n"
        + (f"Its jobs in the queue: {'; '.join(here[:10])}{' ...' if len(here) > 10 else ''}\n" if here else "")
        + "Wait for it to end, or end it (kill with SIGTERM lets running jobs finish) and give the same command again."
        " Jobs that still run are then waited for, and what they finish counts. If you know that no such process runs"
        " anywhere: snakemake --unlock"
    )


def _ask(*command: str) -> str | None:
    """What a command of Slurm prints; None if it is missing, fails or does not answer within a minute."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


LIVE = frozenset(
    (
        *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"),
        *("STAGE_OUT", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
    )
)
"""States of a job that has not ended."""

NOT_ITS_FAULT = frozenset(("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED"))
"""States of a job that was ended for the sake of others; another start of it uses up no retry."""

REFUSED = re.compile(
    r"[Ii]nvalid (?!job id)|not available|cannot be satisfied|can not be satisfied|not permitted|denied|more .* than"
    r"|argument|option|with exception: (?!Failed to run)"
)
"""Words of a failed submission that name the request itself, so that another attempt would fail in the same way."""

PASSING = frozenset(
    ("None", "Priority", "Resources", "BeginTime", "Dependency", "Cleaning", "Prolog", "JobArrayTaskLimit")
)
"""Reasons for which a job waits that end by themselves."""

WAITS_AFTER_S = 60.0
"""A job that waits longer for another reason is reported."""

UNKNOWN_AFTER = 3
"""A job that the scheduler does not name in so many successive answers is judged by its outputs."""


def job_states(ids: Iterable[str]) -> dict[str, str] | None:
    """States by id of these jobs, from the queue or else from accounting; a job that neither names is left out.

    Returns:
        None if the controller does not answer.
    """
    queue = _ask("squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T")
    if queue is None:
        return None
    states = dict(line.split("|") for line in queue.split("\n") if line)
    missing = [slurm_id for slurm_id in ids if slurm_id not in states]
    if missing:
        ended = _ask("sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State", f"--jobs={','.join(missing)}")
        rows = [line.split("|") for line in (ended or "").split("\n") if line]
        # accounting may call a job running that the controller has lost
        states |= {slurm_id: state.split()[0] for slurm_id, state in rows if state.split()[0] not in LIVE}
    return {slurm_id: states[slurm_id] for slurm_id in ids if slurm_id in states}


def _exceeded_memory(log: Path) -> bool:
    """Whether Slurm has written into a job's log that it killed the job for memory."""
    with suppress(OSError):
        return (
            re.search(r"exceeded (job |step )?memory limit|oom.kill|Out Of Memory", log.read_text(errors="replace"))
            is not None
        )
    return False


def work_of(job: object) -> str:
    """A hash of what a job does: its commands with all settings and paths."""
    commands = sorted(single.shellcmd or "" for single in (job.jobs if job.is_group() else [job]))
    return hashlib.sha256("\n".join(commands).encode()).hexdigest()[:16]


def has_newer_input(persistence: PersistenceBase, job: object) -> bool:
    """Whether an input of a job was written after the job's last start."""
    started = min(persistence._get_recorded_starttime(str(file)) or 0.0 for file in job.output)
    return any(os.path.getmtime(file) > started for file in job.input)


def patient_executor(executor: type) -> type:
    """The Slurm plugin's executor, which resumes jobs, submits with back-off, and waits for a controller."""

    class PatientExecutor(executor):
        def __post_init__(self, *args: object) -> None:
            self.unended = {}  # infos of jobs by id; the plugin's own list is empty while it asks for states
            self.pauses = {}  # seconds before the next attempts to submit a job
            self.begun = {}  # when the jobs were submitted whose reason for waiting has not been reported
            self.unnamed = {}  # in how many successive answers the scheduler did not name a job
            self.silent_since = None
            self.stopping = False
            super().__post_init__(*args)
            self._compare_with_partitions()

        def _compare_with_partitions(self) -> None:
            """Warn of jobs that no partition can run, before the first one is submitted."""
            limits, nodes = _ask("scontrol", "show", "partition"), _ask(*NODES)
            if limits and nodes:
                dag = self.workflow.dag
                planned = {dag.get_job_group(job) or job for job in dag.needrun_jobs() if not job.is_local}
                for message in unmet_requests(planned, limits, nodes):
                    self.logger.warning(message)

        def run_job(self, job: object) -> None:
            """Resume the job that is stored for these outputs if it does the same work, and otherwise submit one."""
            try:
                stored = self.workflow.persistence.external_jobids(job)
                resumed = sum(self._resume(job, slurm_job) for slurm_job in stored)  # of several, ends those of no use
                if not resumed:
                    super().run_job(job)
            except Exception as error:  # in this thread it would be lost, and Snakemake would wait for ever
                message = f"Job submission failed with exception: {type(error).__name__}: {error}"
                self._report_job_error_threadsafe(SubmittedJobInfo(job), message)

        def _resume(self, job: object, stored: str) -> bool:
            slurm_id, _, work = stored.partition(" ")
            state = self._state_of(slurm_id)
            if state not in LIVE and state != "COMPLETED":
                return False
            if work != work_of(job) or has_newer_input(self.workflow.persistence, job):
                if state in LIVE:
                    self._end(slurm_id)
                return False
            self.logger.info(f"Job {job.jobid} is resumed: Slurm job {slurm_id} is {state.lower()}.")
            self.report_job_submission(self._info(job, slurm_id), register_job=False)
            return True

        def _info(self, job: object, slurm_id: str) -> SubmittedJobInfo:
            """What the plugin's `run_job` makes of a job that it has submitted."""
            kind = "group" if job.is_group() else "rule"
            log = self.slurm_logdir / f"{kind}_{job.name}" / get_job_wildcards(job) / f"{slurm_id}.log"
            return SubmittedJobInfo(job, external_jobid=slurm_id, aux={"slurm_logfile": log})

        def _state_of(self, slurm_id: str) -> str | None:
            """State of a job, None if the scheduler does not know it; waits while the controller does not answer."""
            for seconds in _pauses():
                if (states := job_states([slurm_id])) is not None:
                    return states.get(slurm_id)
                self._pause(seconds, f"Slurm's controller does not say whether job {slurm_id} still runs")
            raise WorkflowError(f"Slurm's controller does not say whether job {slurm_id} still runs")

        def _end(self, slurm_id: str) -> None:
            """Cancel a job whose settings or inputs have changed since, and wait for its end."""
            self.logger.info(f"Slurm job {slurm_id} has other settings or older inputs: it is cancelled.")
            _ask("scancel", slurm_id)
            while self._state_of(slurm_id) in LIVE:
                self._pause(2, "")

        def _pause(self, seconds: float, reason: str) -> None:
            if reason:
                self.logger.warning(f"{reason}: trying again in {seconds:.0f} s.")
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if self.stopping:
                    raise WorkflowError("Snakemake is ending")
                time.sleep(0.2)

        def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
            """Store the job's id with a hash of its work, for `run_job` of the next start."""
            super().report_job_submission(job_info, register_job=False)
            self.unended[job_info.external_jobid] = job_info
            self.begun[job_info.external_jobid] = time.monotonic()
            if register_job:
                try:
                    job_info.job.register(external_jobid=f"{job_info.external_jobid} {work_of(job_info.job)}")
                except OSError as error:
                    self.logger.warning(f"The id of Slurm job {job_info.external_jobid} cannot be stored: {error}")

        def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
            """Try again, with back-off, a submission that failed for a reason that may pass."""
            job = job_info.job
            self.pauses.setdefault(job, _pauses())
            seconds = next(self.pauses[job], None)
            if seconds is None or self.stopping or REFUSED.search(msg.partition("sbatch call:")[0]):
                super()._report_job_error_threadsafe(job_info, msg)
                return
            reason = re.search(r"error: (.*)", msg)
            try:
                self._pause(
                    seconds, f"Job {job.jobid} was not submitted ({reason[1] if reason else msg.strip()[:200]})"
                )
            except WorkflowError as error:
                super()._report_job_error_threadsafe(job_info, str(error))
                return
            if not self._adopt(job):
                self.run_job(job)

        def _adopt(self, job: object) -> bool:
            """Watch a job that the controller has accepted although `sbatch` failed, for example by a time-out."""
            wildcards = get_job_wildcards(job)
            comment = f"{'group' if job.is_group() else 'rule'}_{job.name}" + (
                f"_wildcards_{wildcards}" if wildcards else ""
            )
            queue = _ask("squeue", "--me", "--noheader", f"--name={self.run_uuid}", "--format=%A|%k") or ""
            for slurm_id, _, text in (line.partition("|") for line in queue.split("\n")):
                if text == comment and slurm_id not in self.unended:
                    self.logger.info(f"Job {job.jobid} was submitted after all, as Slurm job {slurm_id}.")
                    self.report_job_submission(self._info(job, slurm_id))
                    return True
            return False

        async def check_active_jobs(self, active_jobs: list) -> AsyncIterator:
            """Ask for the states of all jobs at once; a job whose state is not known stays."""
            states = await asyncio.to_thread(job_states, [info.external_jobid for info in active_jobs])
            first = self.workflow.executor_settings.init_seconds_before_status_checks
            if states is None:
                if self.silent_since is None:
                    self.silent_since = time.monotonic()
                    self.logger.warning("Slurm's controller does not answer; jobs go on, and it is asked again.")
                self.next_seconds_between_status_checks = first
                for info in active_jobs:
                    yield info
                return
            if self.silent_since is not None:
                self.logger.warning(f"Slurm answers again after {time.monotonic() - self.silent_since:.0f} s.")
                self.silent_since = None
            await asyncio.to_thread(self._report_waiting, states)
            ended = 0
            for info in active_jobs:
                if self._is_live(info, states.get(info.external_jobid)):
                    yield info
                else:
                    ended += 1
                    self._report_end(info, states.get(info.external_jobid))
            wait = first if ended or not active_jobs else min(self.next_seconds_between_status_checks + 10, 180)
            self.next_seconds_between_status_checks = wait

        def _report_waiting(self, states: dict[str, str]) -> None:
            """Say once of a job why Slurm does not start it, if this does not end by itself."""
            long = {job for job, begun in self.begun.items() if time.monotonic() - begun > WAITS_AFTER_S}
            self.begun = {job: begun for job, begun in self.begun.items() if states.get(job, "PENDING") == "PENDING"}
            if not long & set(self.begun):
                return
            queue = _ask("squeue", "--me", "--array", "--states=PENDING", "--noheader", "--format=%i|%r") or ""
            for slurm_id, _, reason in (line.partition("|") for line in queue.split("\n")):
                if slurm_id in long and slurm_id in self.begun and reason not in PASSING:
                    del self.begun[slurm_id]
                    job = self.unended[slurm_id].job
                    self.logger.warning(
                        f"Job {job.jobid} ({job.name}), Slurm job {slurm_id}, is not started: {reason}. It waits until"
                        " its request or the limits of the cluster change; `scontrol show partition` lists the limits."
                    )

        def _is_live(self, info: SubmittedJobInfo, state: str | None) -> bool:
            if state is not None:
                self.unnamed.pop(info.external_jobid, None)
                return state in LIVE
            self.unnamed[info.external_jobid] = self.unnamed.get(info.external_jobid, 0) + 1
            return self.unnamed[info.external_jobid] < UNKNOWN_AFTER

        def _report_end(self, info: SubmittedJobInfo, state: str | None) -> None:
            slurm_id = info.external_jobid
            self.unended.pop(slurm_id, None)
            if state == "COMPLETED" or is_recorded(info.job):
                if not self.workflow.executor_settings.keep_successful_logs:
                    with suppress(OSError):
                        info.aux["slurm_logfile"].unlink()
                self.report_job_success(info)
                return
            message = f"SLURM-job '{slurm_id}' failed, SLURM status is: '{state or 'UNKNOWN'}'. "
            if state is None:
                message += "The scheduler does not know the job any more, and its outputs are not complete. "
            if state in NOT_ITS_FAULT:
                info.job.attempt -= 1
            elif state == "OUT_OF_MEMORY" or _exceeded_memory(info.aux["slurm_logfile"]):
                info.job.attempt = info.job.restart_times + 1  # a retry with the same memory would end in the same way
                for job in info.job.jobs if info.job.is_group() else [info.job]:
                    message += f"It ran out of memory. {self.workflow.globals['how_to_raise_memory'](job)}. "
            if info.job.is_group():  # Snakemake prints the jobs of a failed group, but not the message
                logger.error(message)
            self.report_job_error(info, msg=message, aux_logs=[str(info.aux["slurm_logfile"])])

        def cancel_jobs(self, active_jobs: list) -> None:
            """End submissions that wait, then cancel all jobs that have not ended."""
            self.stopping = True
            self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
            super().cancel_jobs(list(self.unended.values()))

    return PatientExecutor


def _pauses() -> Iterator[float]:
    """Seconds between attempts: doubled from 5 to 60, then 60, for half an hour together."""
    yield from (5.0, 10.0, 20.0, 40.0)
    for _ in range(29):
        yield 60.0


def apply(is_main_process: bool) -> None:
    """Apply all changes, at the start of Snakemake in the main process or in a job."""
    check_versions()
    lift_default_rate()
    plan_in_less_time()
    remove_checkpoints_when_accepted()
    if is_main_process:
        let_groups_be_like_their_first_job()
        keep_what_a_failed_group_has_finished()
        succeed_if_all_is_done_at_sigterm()
        name_the_owner_of_locks()
        plugin = ExecutorPluginRegistry().get_plugin("slurm")
        plugin.executor = patient_executor(plugin.executor)
    else:
        in_a_job()
