"""GPUs that jobs take: never one twice unless asked, free again however a job ends, and what a scheduler gave."""

import logging
import os
import subprocess
import sys
import time

import pytest

from tabpo.errors import ConfigError
from tabpo.processes import gpus
from tabpo.processes.gpus import JOBS_PER_GPU, take_gpus

FOUR = {"CUDA_VISIBLE_DEVICES": "0,2,5,GPU-7"}

# Takes GPUs, says which, and is replaced by a program that ends when its input ends.
JOB = """
import logging, os, sys
from pathlib import Path
from tabpo.processes import gpus
gpus.LOCKS = Path(sys.argv[1])
logging.basicConfig(level=logging.INFO)
print(*gpus.take_gpus(int(sys.argv[2]), os.environ), flush=True)
os.execvp("cat", ["cat"])
"""


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "LOCKS", tmp_path / "locks")
    return tmp_path / "locks"


@pytest.fixture
def start(locks):
    """A function that starts a job as a process of its own; all jobs are ended afterwards."""
    jobs = []

    def started(wanted: int, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-c", JOB, str(locks), str(wanted)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        jobs.append(subprocess.Popen(command, env=os.environ | FOUR | environment, **pipes))
        return jobs[-1]

    yield started
    for job in jobs:
        job.kill()
        job.communicate()


def taken(job: subprocess.Popen) -> list[str]:
    return job.stdout.readline().split()


def waits(job: subprocess.Popen) -> bool:
    """Whether a job has logged that it waits; it has no GPU then."""
    return "waiting for" in job.stderr.readline()


def test_two_jobs_never_share_a_gpu_and_a_third_waits(start):
    first, second = start(2), start(1)
    held = taken(first) + taken(second)
    assert len(set(held)) == 3 and set(held) < {"0", "2", "5", "GPU-7"}
    third = start(2)
    assert waits(third)  # one GPU is free, and it stays free for others
    fourth = start(1)
    (last,) = taken(fourth)
    assert last not in held
    fourth.kill()  # its lock ends with it
    second.terminate()
    assert sorted(taken(third)) == sorted([held[2], last])


def test_gpus_are_shared_only_when_asked_and_the_emptiest_first(start):
    asked = {JOBS_PER_GPU: "2", "CUDA_VISIBLE_DEVICES": "0,1"}
    held = [taken(start(1, **asked)) for _ in range(3)]
    assert held == [["0"], ["1"], ["0"]]
    assert waits(start(2, **asked))  # one of the two GPUs is full


def test_a_wait_is_logged_once(start, monkeypatch, caplog):
    taken(start(4))
    free, waits = gpus._free, []

    def free_at_the_third_time(*arguments):
        waits.append(None)
        return free(*arguments) if len(waits) < 3 else ["0", "5"]

    monkeypatch.setattr(gpus, "_free", free_at_the_third_time)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with caplog.at_level(logging.INFO):
        assert take_gpus(2, FOUR) == ["0", "5"]
    assert [record.getMessage() for record in caplog.records] == ["waiting for 2 free GPUs of [0,2,5,GPU-7]"]


@pytest.mark.parametrize("job", ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"])
def test_a_scheduler_s_gpus_are_taken_as_they_are(start, job):
    taken(start(4))
    inside = {job: "7", "CUDA_VISIBLE_DEVICES": "0,2"}
    assert take_gpus(2, inside) == ["0", "2"]
    for wanted in (1, 3):
        with pytest.raises(ConfigError, match=rf"asks for {wanted} GPUs on each node; visible are 2 \(0,2\): ask the"):
            take_gpus(wanted, inside)


def test_grid_engine_gives_no_gpus_so_that_free_ones_are_locked(start):
    held = taken(start(3, JOB_ID="7"))
    assert taken(start(1, JOB_ID="8")) == sorted({"0", "2", "5", "GPU-7"} - set(held))


@pytest.mark.parametrize("visible", ["", "0", "-1", "NoDevFiles"])
def test_too_few_gpus_are_refused(visible):
    with pytest.raises(ConfigError, match=r"asks for 2 GPUs on each node; visible are .* ask the scheduler for 2"):
        take_gpus(2, {"CUDA_VISIBLE_DEVICES": visible})
    assert take_gpus(0, {"CUDA_VISIBLE_DEVICES": visible}) == []


@pytest.mark.parametrize("jobs", ["0", "-1", "two", ""])
def test_a_wrong_number_of_jobs_is_refused(jobs):
    with pytest.raises(ConfigError, match=f"TABPO_JOBS_PER_GPU is {jobs}; accepted: a whole number, at least 1"):
        take_gpus(1, FOUR | {JOBS_PER_GPU: jobs})
