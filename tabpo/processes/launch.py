"""How a training program is started: alone, or as several processes that are warned and end together."""

import ctypes
import fcntl
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tabpo.errors import ConfigError
from tabpo.processes.warnings import STOPPED, handling, warn_children

NO_DEVICES = frozenset(("", "-1", "NoDevFiles"))
"""What CUDA_VISIBLE_DEVICES holds where a scheduler gives no GPU."""

STEP = "SLURM_STEP_ID"
"""Environment variable: set in what srun starts."""

LAUNCHER = "TABPO_LAUNCHER"
"""Environment variable: id of the process in which torchrun started a worker."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Launch:
    """A command, and where it runs.

    Attributes:
        command: Program and arguments; only torchrun's arguments where it starts the program.
        environment: All of it.
        processes: Of the whole job.
        gpus: Those that this machine's processes see.
        torchrun: Whether torchrun starts the program.
    """

    command: list[str]
    environment: dict[str, str]
    processes: int
    gpus: list[str]
    torchrun: bool


def starts_step(settings: dict, environment: Mapping[str, str]) -> bool:
    """Whether this process is in a Slurm job of several nodes, and alone."""
    return settings["resources"]["nodes"] > 1 and "SLURM_JOB_ID" in environment and STEP not in environment


def step_command(program: str, arguments: Sequence[str], settings: dict) -> list[str]:
    """The command that starts the launching program once on each node of the job, and ends all when one fails."""
    processes, nodes, gpus = (settings["resources"][key] for key in ("processes", "nodes", "gpus"))
    threads = settings["numerics"]["threads"] * processes // nodes
    command = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    command += [f"--gpus-per-node={gpus // nodes}"] if gpus else []
    return [*command, "--kill-on-bad-exit=1", sys.executable, "-m", "workflow_scripts.launch", program, *arguments]


def plan_launch(program: str, arguments: Sequence[str], settings: dict, environment: Mapping[str, str]) -> Launch:
    """Plain Python for one process without DeepSpeed, torchrun otherwise.

    Several nodes need one launching process on each, with Slurm's variables: the first node of the job is where the
    processes meet.

    Args:
        program: Module of workflow_scripts.
        arguments: Of the program.
        settings: Of the run: resources, numerics.threads, training.deepspeed.
        environment: Of this process.

    Raises:
        ConfigError: Other GPUs or nodes than the run asks for.
    """
    processes, nodes, gpus = (settings["resources"][key] for key in ("processes", "nodes", "gpus"))
    if processes % nodes or gpus % nodes:
        raise ConfigError(f"resources: {processes} processes and {gpus} gpus cannot be shared equally by {nodes} nodes")
    visible = _visible_gpus(gpus // nodes, environment)
    threads = str(settings["numerics"]["threads"])
    ours = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "512",  # of kernels, each for a shape: batches are filled up to few of them
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on GPUs
        "CUDA_VISIBLE_DEVICES": ",".join(visible),
    }
    torchrun = processes > 1 or settings["training"].get("deepspeed") is not None
    if torchrun:
        command = [*_meeting_point(nodes, environment), f"--nproc-per-node={processes // nodes}"]
        command += ["-m", "workflow_scripts.launch", program, *arguments]
    else:
        command = [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]
    return Launch(command, {**environment, **ours}, processes, visible, torchrun)


def run_torchrun(launch: Launch) -> int:
    """Run torchrun in this process to its end; 0, or `STOPPED` where a warning has ended its workers.

    A scheduler's warning goes on to the workers; while there are none, it is tried again every second, and ends those
    that start meanwhile: they have nothing to keep. Torchrun would answer it itself (`--signals-to-handle`), but then
    fail even where the workers end well, and does not say how they ended.

    Raises:
        ChildFailedError: A worker has failed without a warning; torchrun has ended the others.
    """
    warned = False

    def warn(number: int, frame: FrameType | None) -> None:
        nonlocal warned
        warned = True
        if not warn_children(signal.SIGUSR1):
            signal.alarm(1)

    signal.signal(signal.SIGALRM, warn)
    os.environ.update(launch.environment, **{LAUNCHER: str(os.getpid())})
    with handling(warn):
        # Here, as torch takes a second to load, in which a warning may come.
        from torch.distributed import run
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

        try:
            run.main(["--signals-to-handle=SIGINT,SIGHUP,SIGQUIT", *launch.command])
        except ChildFailedError:
            if not warned:
                raise
            return STOPPED
        finally:
            signal.alarm(0)
    return 0


def worker_command(program: str, arguments: Sequence[str]) -> list[str]:
    """The command of one of torchrun's processes, which from now on is killed when torchrun's process ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[LAUNCHER]):  # it has ended before
        os.kill(os.getpid(), signal.SIGKILL)
    return [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]


def leave() -> NoReturn:
    """End this process well and at once, for a training program that has written all.

    The interpreter's own end is not safe beside gloo. A thread of gloo's that lags behind frees the tensors of the last
    message only then, waits for the interpreter, and is ended by it amid C++ code that cannot be unwound: SIGABRT
    (github.com/pytorch/pytorch/issues/190489), with or without `destroy_process_group`.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(os.EX_OK)


def read_settings(arguments: Sequence[str]) -> dict:
    """The value of `--settings` among a program's arguments.

    Raises:
        ConfigError: There is none, or it is no JSON.
    """
    if "--settings" not in arguments[:-1]:
        raise ConfigError("--settings is missing: the JSON of the run's settings")
    text = arguments[arguments.index("--settings") + 1]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--settings is no JSON: {error}") from error


def _visible_gpus(wanted: int, environment: Mapping[str, str]) -> list[str]:
    if wanted == 0:
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        visible = [one for one in environment["CUDA_VISIBLE_DEVICES"].split(",") if one not in NO_DEVICES]
    else:
        import torch  # only where a user starts a GPU job without a scheduler: it takes a second to load

        visible = [str(index) for index in range(torch.cuda.device_count())]
    if len(visible) != wanted:
        raise ConfigError(
            f"resources.gpus asks for {wanted} GPUs on each node; visible are {len(visible)} ({','.join(visible)}):"
            f" ask the scheduler for {wanted}, or set CUDA_VISIBLE_DEVICES to as many"
        )
    return visible


def _meeting_point(nodes: int, environment: Mapping[str, str]) -> list[str]:
    if nodes == 1:
        return ["--standalone"]
    found = environment.get("SLURM_NNODES", "no")
    if found != str(nodes):
        raise ConfigError(f"resources.nodes asks for {nodes} nodes; the scheduler gave {found} (SLURM_NNODES)")
    port = 10_000 + int(environment["SLURM_JOB_ID"]) % 20_000
    return [
        f"--nnodes={nodes}",
        f"--node-rank={environment['SLURM_NODEID']}",
        f"--master-addr={first_host(environment['SLURM_JOB_NODELIST'])}",
        f"--master-port={port}",
    ]


def first_host(node_list: str) -> str:
    """The first host of Slurm's notation: `gpu[07-09,12],big1` gives `gpu07`."""
    match = re.match(r"(?P<prefix>[^,\[]+)(?:\[(?P<number>\d+)[^\]]*\](?P<suffix>[^,]*))?", node_list)
    return match["prefix"] + (match["number"] or "") + (match["suffix"] or "")


@contextmanager
def left_locks_removed(environment: Mapping[str, str]) -> Iterator[None]:
    """Remove the locks of dead compilers first, unless another run is there, which may be compiling.

    DeepSpeed compiles kernels at their first use (for processes on a CPU, for offloaded optimisers), and torch marks a
    kernel in the making by a file `lock` beside it. A run that is killed then leaves that file, and all later runs
    would wait for its end without a word.

    Args:
        environment: Of the processes that compile: TORCH_EXTENSIONS_DIR, XDG_CACHE_HOME or HOME says where.
    """
    cache = environment.get("XDG_CACHE_HOME") or f"{environment['HOME']}/.cache"
    kernels = Path(environment.get("TORCH_EXTENSIONS_DIR") or f"{cache}/torch_extensions")
    kernels.mkdir(parents=True, exist_ok=True)
    with (kernels / "tabpo.lock").open("w") as runs:
        try:
            fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("another run may be compiling kernels")
        else:
            for left in kernels.glob("**/lock"):
                logging.info("a run was killed while it compiled %s: its lock is removed", left.parent.name)
                left.unlink()
        fcntl.flock(runs, fcntl.LOCK_SH)
        yield
