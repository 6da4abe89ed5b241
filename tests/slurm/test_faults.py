"""Faults of a cluster, on a real Slurm: the same command goes on with what jobs have done, and nothing is done twice.

The jobs are those of faults.smk: they take steps of half a second and keep each, as a training run keeps checkpoints.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OPTIONS = (
    *("--executor", "slurm", "--jobs", "10", "--keep-going", "--rerun-incomplete", "--retries", "1"),
    *("--slurm-requeue", "--slurm-status-command", "squeue", "--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--default-resources", "slurm_account=tabpo", "slurm_partition=main", "mem_mb=700", "runtime=5"),
)
PATIENCE_S = 300

pytestmark = pytest.mark.slurm


class Workflow:
    """A folder in which faults.smk runs."""

    def __init__(self, folder: Path, steps: int, names: str = "a"):
        self.folder, self.steps, self.names, self.starts = folder, steps, names, 0

    def start(self, *options: str, **environment: str) -> subprocess.Popen:
        """Start Snakemake; its messages are in a file for each start."""
        self.starts += 1
        command = ["snakemake", "--snakefile", str(PROJECT / "tests/slurm/faults.smk"), *OPTIONS, *options]
        command += ["--config", f"project={PROJECT}", f"names={self.names}", f"steps={self.steps}"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with self.log.open("w") as log:
            return subprocess.Popen(
                command, cwd=self.folder, stderr=log, stdout=log, env=os.environ | {"PATH": path} | environment
            )

    @property
    def log(self) -> Path:
        return self.folder / f"messages{self.starts}"

    @property
    def messages(self) -> str:
        return self.log.read_text()

    def finish(self, *options: str, **environment: str) -> str:
        """Run to a good end and return the messages."""
        code = self.start(*options, **environment).wait(timeout=PATIENCE_S)
        assert code == 0, self.messages[-6000:]
        return self.messages

    def history(self, name: str = "a") -> list[str]:
        """What all starts of a job did, without the ids of their processes."""
        path = self.folder / f"checkpoints/{name}.history"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, event: str, name: str = "a") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while event not in self.history(name):
            assert time.monotonic() < deadline, self.messages[-6000:]
            time.sleep(0.2)

    def starts_of(self, name: str = "a") -> list[str]:
        return [event for event in self.history(name) if event.startswith("starts")]

    def assert_whole(self) -> None:
        """All outputs are those of an undisturbed run, nothing is left beside them, and nothing is to be done."""
        for name in self.names.split():
            assert (self.folder / f"out/{name}/run").read_text() == f"{self.steps} steps\n"
            assert (self.folder / f"out/{name}/result").read_text().split() == [*map(str, range(1, self.steps + 1))]
            assert not (self.folder / f"checkpoints/{name}").exists()
        assert not [path for path in (self.folder / ".snakemake/incomplete").rglob("*") if path.is_file()]
        assert "Nothing to be done" in self.finish("--dry-run")


def slurm_jobs(state: str = "all") -> list[str]:
    asked = ["squeue", "--noheader", f"--states={state}", "--format=%A"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def slurm_job(messages: str) -> str:
    return re.search(r"submitted with SLURM jobid (\d+)", messages)[1]


def test_a_job_goes_on_after_a_kill_of_the_main_process_and_counts(tmp_path):
    """SIGKILL, then the same command at once, without --unlock: it waits for the job that runs."""
    workflow = Workflow(tmp_path, steps=40)
    first = workflow.start()
    workflow.wait_for("step 3")
    first.kill()
    job = slurm_job(workflow.messages)
    messages = workflow.finish()
    assert "ended without removing its lock" in messages
    assert f"is resumed: Slurm job {job} is running" in messages
    assert workflow.history() == ["starts after 0", *(f"step {step}" for step in range(1, 41)), "ends"]
    workflow.assert_whole()


def test_what_a_job_finishes_while_nobody_watches_counts(tmp_path):
    workflow = Workflow(tmp_path, steps=6)
    first = workflow.start()
    workflow.wait_for("step 1")
    first.kill()
    workflow.wait_for("ends")
    job, deadline = slurm_job(workflow.messages), time.monotonic() + PATIENCE_S
    while job not in slurm_jobs("completed"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "rule work" not in workflow.finish()
    assert len(workflow.starts_of()) == 1
    workflow.assert_whole()
    workflow.steps = 7  # the job has recorded its settings: a change is noticed
    assert "Params have changed" in workflow.finish("--dry-run")


def test_a_job_of_other_settings_is_cancelled_before_another_starts(tmp_path):
    workflow = Workflow(tmp_path, steps=400)
    first = workflow.start()
    workflow.wait_for("step 2")
    first.kill()
    job, workflow.steps = slurm_job(workflow.messages), 8
    assert f"Slurm job {job} has other settings or older inputs: it is cancelled" in workflow.finish()
    assert job in slurm_jobs("cancelled")
    assert len(workflow.starts_of()) == 2 and workflow.history()[-1] == "ends"


def test_a_second_main_process_is_told_who_holds_the_lock(tmp_path):
    workflow = Workflow(tmp_path, steps=12)
    first = workflow.start()
    workflow.wait_for("step 1")
    assert workflow.start().wait(timeout=PATIENCE_S) == 1
    host = os.uname().nodename
    assert f"process {first.pid} on {host} makes files of this study in {tmp_path}" in workflow.messages
    assert re.search(r"Its jobs in the queue: \d+ RUNNING rule_work_wildcards_a", workflow.messages)
    assert first.wait(timeout=PATIENCE_S) == 0
    workflow.assert_whole()


def test_a_signal_to_the_main_process_ends_all_its_jobs_and_the_same_command_goes_on(tmp_path):
    workflow = Workflow(tmp_path, steps=30, names="a b")
    first = workflow.start()
    workflow.wait_for("step 2", "a")
    workflow.wait_for("step 2", "b")
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=PATIENCE_S) == 1
    workflow.finish()
    for name in ("a", "b"):
        begun = [int(event.rpartition(" ")[2]) for event in workflow.starts_of(name)]
        assert len(begun) == 2 and begun[0] == 0 and begun[1] >= 2
        steps = [event for event in workflow.history(name) if event.startswith("step ")]
        assert len(steps) == len(set(steps)) == 30
    workflow.assert_whole()


def test_a_warned_job_goes_on_without_a_retry(tmp_path):
    """Two warnings, although one retry is all there is: Slurm starts the same job again each time."""
    workflow = Workflow(tmp_path, steps=24)
    first = workflow.start()
    for step in (2, 8):
        workflow.wait_for(f"step {step}")
        subprocess.run(["scancel", "--signal=USR1", slurm_job(workflow.messages)], check=True)
    assert first.wait(timeout=PATIENCE_S) == 0, workflow.messages[-6000:]
    assert "Trying to restart" not in workflow.messages and workflow.messages.count("submitted with SLURM jobid") == 1
    assert len(workflow.starts_of()) == 3
    steps = [event for event in workflow.history() if event.startswith("step ")]
    assert len(steps) == len(set(steps)) == 24
    workflow.assert_whole()


def test_a_job_killed_for_memory_is_not_retried_and_the_line_says_what_to_write(tmp_path):
    workflow = Workflow(tmp_path, steps=60)
    assert workflow.start(WORK_MB="900").wait(timeout=PATIENCE_S) == 1
    assert "It ran out of memory. mem_mb of work is 700." in workflow.messages
    assert workflow.messages.count("submitted with SLURM jobid") == 1
    workflow.steps = 3
    workflow.finish()


def wrapped(folder: Path, command: str, lines: str) -> dict[str, str]:
    """An environment in which a command of Slurm first runs these lines of shell, in which $REAL is the command."""
    wrapper = folder / "bin" / command
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(f'#!/bin/bash\nREAL={shutil.which(command)}\n{lines}\nexec $REAL "$@"\n')
    wrapper.chmod(0o755)
    return {"PATH": f"{wrapper.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


UNREACHABLE = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"


def test_a_submission_that_fails_is_tried_again_and_uses_up_no_retry(tmp_path):
    """The first two attempts fail for good; the third is accepted by Slurm, but sbatch reports a time-out."""
    lines = (
        f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n + 1)) > {tmp_path}/n\n"
        f"[ $n -ge 2 ] || {{ echo '{UNREACHABLE}' >&2; exit 1; }}\n"
        '[ $n -ge 3 ] || { $REAL "$@" >/dev/null; echo "sbatch: error: Socket timed out" >&2; exit 1; }'
    )
    workflow = Workflow(tmp_path, steps=60)
    messages = workflow.finish(**wrapped(tmp_path, "sbatch", lines))
    assert messages.count("was not submitted (Batch job submission failed: Unable to contact") == 2
    assert "was submitted after all" in messages and "Trying to restart" not in messages
    assert len(workflow.starts_of()) == 1
    workflow.assert_whole()


def test_a_submission_that_is_refused_ends_at_once(tmp_path):
    workflow = Workflow(tmp_path, steps=2)
    options = ("--default-resources", "slurm_account=tabpo", "slurm_partition=nowhere", "mem_mb=700", "runtime=5")
    assert workflow.start(*options).wait(timeout=PATIENCE_S) == 1
    assert "invalid partition" in workflow.messages.lower() and "trying again" not in workflow.messages
    assert workflow.starts_of() == []


def test_a_job_that_no_partition_can_run_is_reported(tmp_path):
    """Its time is above the partition's MaxTime of a day: Slurm accepts the job and never starts it."""
    workflow = Workflow(tmp_path, steps=2)
    options = ("--default-resources", "slurm_account=tabpo", "slurm_partition=main", "mem_mb=700", "runtime=2000")
    process, deadline = workflow.start(*options), time.monotonic() + PATIENCE_S
    while "is not started: PartitionTimeLimit" not in workflow.messages:
        assert process.poll() is None and time.monotonic() < deadline, workflow.messages[-6000:]
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 1
    assert slurm_job(workflow.messages) not in slurm_jobs("pending")


def test_a_controller_that_does_not_answer_loses_no_job(tmp_path):
    """squeue and sacct fail while the job runs and ends; then they answer, and the job has counted once."""
    gate = f"[ ! -e {tmp_path}/away ] || {{ echo 'error: Unable to contact slurm controller' >&2; exit 1; }}"
    wrapped(tmp_path, "sacct", gate)
    environment = wrapped(tmp_path, "squeue", gate)
    workflow = Workflow(tmp_path, steps=10)
    first = workflow.start(**environment)
    workflow.wait_for("step 1")
    (tmp_path / "away").touch()
    workflow.wait_for("ends")
    deadline = time.monotonic() + PATIENCE_S
    while "controller does not answer" not in workflow.messages:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (tmp_path / "away").unlink()
    assert first.wait(timeout=PATIENCE_S) == 0, workflow.messages[-6000:]
    assert "Slurm answers again after" in workflow.messages and len(workflow.starts_of()) == 1
    workflow.assert_whole()


@pytest.mark.parametrize("ends", [True, False], ids=["complete", "lost"])
def test_a_job_that_the_scheduler_has_forgotten_is_judged_by_its_outputs(tmp_path, ends):
    """squeue names no job from some moment on, and accounting is off."""
    wrapped(tmp_path, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    forget = f"[ ! -e {tmp_path}/forgotten ] || exit 0"
    workflow = Workflow(tmp_path, steps=10 if ends else 40)
    first = workflow.start(**wrapped(tmp_path, "squeue", forget))
    workflow.wait_for("step 1")
    if ends:
        workflow.wait_for("ends")
        time.sleep(3)
        (tmp_path / "forgotten").touch()
        assert first.wait(timeout=PATIENCE_S) == 0, workflow.messages[-6000:]
        assert len(workflow.starts_of()) == 1
    else:
        subprocess.run(["scancel", "--signal=KILL", slurm_job(workflow.messages)], check=True)
        (tmp_path / "forgotten").touch()
        deadline = time.monotonic() + PATIENCE_S
        while "Trying to restart" not in workflow.messages:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert "does not know the job any more, and its outputs are not complete" in workflow.messages
        (tmp_path / "forgotten").unlink()
        assert first.wait(timeout=PATIENCE_S) == 0, workflow.messages[-6000:]
        assert len(workflow.starts_of()) == 2
    workflow.assert_whole()
