"""The profile sge on a real Grid Engine: jobs are resumed, warned and cancelled, and get what they ask for.

The jobs are those of tests/slurm/faults.smk: they take steps of half a second and keep each.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OPTIONS = (
    *("--profile", str(PROJECT / "profiles/sge"), "--snakefile", str(PROJECT / "tests/slurm/faults.smk")),
    *("--latency-wait", "5", "--seconds-between-status-checks", "2"),
)
PATIENCE_S = 300

pytestmark = pytest.mark.sge


class Workflow:
    """A folder in which faults.smk runs with one job, `a`."""

    def __init__(self, folder: Path, steps: int):
        self.folder, self.steps, self.starts = folder, steps, 0

    def start(self, *resources: str, **environment: str) -> subprocess.Popen:
        """Start Snakemake; its messages are in a file for each start."""
        self.starts += 1
        command = [
            "snakemake",
            *OPTIONS,
            "--default-resources",
            "mem_mb=700",
            "runtime=5",
            "qsub='-q main'",
            *resources,
        ]
        command += ["--config", f"project={PROJECT}", "names=a", f"steps={self.steps}"]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment
        with self.log.open("w") as log:
            return subprocess.Popen(command, cwd=self.folder, stderr=log, stdout=log, env=environment)

    @property
    def log(self) -> Path:
        return self.folder / f"messages{self.starts}"

    @property
    def messages(self) -> str:
        return self.log.read_text()

    @property
    def job(self) -> str:
        return re.search(r"with external jobid '(\d+)'", self.messages)[1]

    def finish(self, *resources: str, **environment: str) -> None:
        code = self.start(*resources, **environment).wait(timeout=PATIENCE_S)
        assert code == 0, self.messages[-6000:]

    def history(self) -> list[str]:
        path = self.folder / "checkpoints/a.history"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, event: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while event not in self.history():
            assert time.monotonic() < deadline, self.messages[-6000:]
            time.sleep(0.2)

    def starts_of_job(self) -> int:
        return sum(event.startswith("starts") for event in self.history())

    def assert_whole(self) -> None:
        """Every step was done once, the outputs are whole, and nothing is left."""
        steps = [event for event in self.history() if event.startswith("step ")]
        assert steps == [f"step {step}" for step in range(1, self.steps + 1)]
        assert (self.folder / "out/a/result").read_text().split() == [*map(str, range(1, self.steps + 1))]
        assert not (self.folder / "checkpoints/a").exists()


def listed() -> dict[str, str]:
    """States by id of the jobs that Grid Engine has."""
    lines = subprocess.run(["qstat"], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    return {line.split()[0]: line.split()[4] for line in lines}


def test_a_job_asks_for_memory_time_and_gpus_and_ends_well(tmp_path):
    workflow = Workflow(tmp_path, steps=8)
    first = workflow.start("gpu=1")
    workflow.wait_for("step 2")
    asked = subprocess.run(["qstat", "-j", workflow.job], capture_output=True, text=True, check=True).stdout
    assert re.search(r"hard resource_list: +h_rt=300,mem_free=700M,gpu=1\n", asked)
    assert first.wait(timeout=PATIENCE_S) == 0, workflow.messages[-6000:]
    workflow.assert_whole()


def test_a_job_that_fails_is_tried_once_more(tmp_path):
    workflow = Workflow(tmp_path, steps=3)
    (tmp_path / "checkpoints/a").mkdir(parents=True)
    (tmp_path / "checkpoints/a/step").write_text("no number")
    assert workflow.start().wait(timeout=PATIENCE_S) == 1
    assert workflow.messages.count("Submitted job") == 2


def test_a_job_that_still_runs_after_a_kill_of_the_main_process_is_resumed(tmp_path):
    workflow = Workflow(tmp_path, steps=160)
    first = workflow.start()
    workflow.wait_for("step 3")
    first.kill()
    job = workflow.job
    workflow.finish()
    assert f"is resumed: job {job} of the scheduler still runs" in workflow.messages
    assert workflow.starts_of_job() == 1
    workflow.assert_whole()


def test_a_job_of_other_settings_is_cancelled_before_another_starts(tmp_path):
    workflow = Workflow(tmp_path, steps=400)
    first = workflow.start()
    workflow.wait_for("step 2")
    first.kill()
    job, workflow.steps = workflow.job, 8
    workflow.finish()
    assert f"Job {job} has other settings or older inputs: it is cancelled" in workflow.messages
    assert workflow.starts_of_job() == 2 and job not in listed()


def test_a_job_is_warned_before_its_time_ends_and_goes_on_without_a_retry(tmp_path):
    """Of its minute, 54 seconds pass before the warning; the whole takes longer than a minute."""
    workflow = Workflow(tmp_path, steps=140)
    workflow.finish("runtime=1", "--retries", "0")
    assert workflow.messages.count("Submitted job") == 1
    assert workflow.starts_of_job() == 2
    workflow.assert_whole()


def test_a_signal_to_the_main_process_cancels_its_jobs(tmp_path):
    workflow = Workflow(tmp_path, steps=40)
    first = workflow.start()
    workflow.wait_for("step 2")
    job = workflow.job
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=PATIENCE_S) == 1
    assert listed().get(job, "dr").startswith("d")
    workflow.finish()
    workflow.assert_whole()


def test_a_server_that_does_not_answer_loses_no_job(tmp_path):
    """qsub fails once and is tried again; qstat fails while the job runs."""
    wrappers = tmp_path / "bin"
    wrappers.mkdir()
    silent = "echo 'error: commlib error: got select error (Connection refused)' >&2; exit 1"
    for command, lines in {
        "qsub": f"[ -e {tmp_path}/failed ] || {{ touch {tmp_path}/failed; {silent}; }}",
        "qstat": f"[ ! -e {tmp_path}/checkpoints/a.history ] || [ -e {tmp_path}/out/a/result ] || {{ {silent}; }}",
    }.items():
        (wrappers / command).write_text(f'#!/bin/bash\n{lines}\nexec /usr/bin/{command} "$@"\n')
        (wrappers / command).chmod(0o755)
    workflow = Workflow(tmp_path, steps=12)
    workflow.finish(PATH=f"{wrappers}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert "trying again in 5 s" in workflow.messages and workflow.starts_of_job() == 1
    workflow.assert_whole()
