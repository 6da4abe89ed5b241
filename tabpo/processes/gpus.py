"""The GPUs of a job: those that a scheduler gave it, or else free ones of this machine, locked until the job ends."""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tabpo.errors import ConfigError

NO_DEVICES = frozenset(("", "-1", "NoDevFiles"))
"""Values of CUDA_VISIBLE_DEVICES by which a scheduler gives no GPU."""

JOBS_PER_GPU = "TABPO_JOBS_PER_GPU"
"""Environment variable: how many jobs may share a GPU of this machine; 1 if it is not set."""

VLLM_PYTHON = ".venv-vllm/bin/python"
"""The Python that vLLM is installed for, below the project's folder; `make setup-vllm` makes it."""

LOCKS = Path(tempfile.gettempdir(), "tabpo-gpus")
"""Folder of the lock files, which all users and studies of the machine have in common."""


def take_gpus(wanted: int, environment: Mapping[str, str]) -> list[str]:
    """The GPUs of this job on this machine, as values of CUDA_VISIBLE_DEVICES.

    Inside a Slurm job they are the GPUs that Slurm gave it, and inside a job of PBS or LSF those of
    CUDA_VISIBLE_DEVICES, whose numbers may count within the job. Otherwise as many free ones are taken from those of
    CUDA_VISIBLE_DEVICES, or of the machine if it is not set, and other jobs do not get them before this process and the
    program that replaces it have ended, however they end. If too few are free, this function waits. Grid Engine sets no
    such variable by itself.

    Args:
        wanted: Number of GPUs; 0 takes none.
        environment: Environment of this process.

    Raises:
        ConfigError: Fewer GPUs are visible than wanted, a scheduler gave another number, or `JOBS_PER_GPU` is wrong.
    """
    if wanted == 0:
        return []
    visible = visible_gpus(environment)
    given = "CUDA_VISIBLE_DEVICES" in environment and ("PBS_JOBID" in environment or "LSB_JOBID" in environment)
    scheduled = given or "SLURM_JOB_ID" in environment
    if len(visible) < wanted or (scheduled and len(visible) > wanted):
        raise ConfigError(
            f"resources.gpus asks for {wanted} GPUs on each node; visible are {len(visible)} ({','.join(visible)}):"
            f" ask the scheduler for {wanted}, or set CUDA_VISIBLE_DEVICES to as many"
        )
    if scheduled:
        return visible
    jobs = environment.get(JOBS_PER_GPU, "1")
    if not jobs.isdecimal() or int(jobs) == 0:
        raise ConfigError(f"{JOBS_PER_GPU} is {jobs}; accepted: a whole number, at least 1")
    taken = _free(visible, wanted, int(jobs))
    if taken is None:
        logging.info("waiting for %d free GPUs of [%s]", wanted, ",".join(visible))
    while taken is None:
        time.sleep(1)
        taken = _free(visible, wanted, int(jobs))
    return taken


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs of CUDA_VISIBLE_DEVICES, or those that torch sees if it is not set."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [gpu for gpu in environment["CUDA_VISIBLE_DEVICES"].split(",") if gpu not in NO_DEVICES]
    import torch  # takes a second to load; needed only without a scheduler

    return [str(index) for index in range(torch.cuda.device_count())]


def _free(visible: Sequence[str], wanted: int, jobs: int) -> list[str] | None:
    """Lock a place on each of the least used GPUs; returns None, with nothing locked, if too few have one."""
    taken: dict[str, int] = {}
    for place in range(jobs):
        for gpu in visible:
            if len(taken) < wanted and gpu not in taken and (handle := _lock(f"{gpu}.{place}")) is not None:
                taken[gpu] = handle
    if len(taken) == wanted:
        return sorted(taken, key=visible.index)
    for handle in taken.values():
        os.close(handle)
    return None


def _lock(name: str) -> int | None:
    """A locked handle, which a program that replaces this one inherits; None if another process has the lock."""
    LOCKS.mkdir(exist_ok=True)
    handle = os.open(LOCKS / name, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(PermissionError):  # another user made the folder or the file
        LOCKS.chmod(0o777)
        os.fchmod(handle, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    os.set_inheritable(handle, True)
    return handle
