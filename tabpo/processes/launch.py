"""Start of a training program as one process, or as several processes that are warned and end together."""

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
from tabpo.processes.gpus import take_gpus
from tabpo.processes.warnings import STOPPED, handling, warn_children

STEP = "SLURM_STEP_ID"
"""Environment variable that is set in programs started by srun."""

LAUNCHER = "TABPO_LAUNCHER"
"""Environment variable of a worker: id of the process in which torchrun runs."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Launch:
    """A command with its environment.

    Attributes:
        command: Program and arguments; if torchrun starts the program, only torchrun's arguments.
        environment: The complete environment.
        processes: Number of processes of the whole job.
        gpus: The GPUs that are visible to the processes on this machine.
        torchrun: Whether torchrun starts the program.
    """

    command: list[str]
    environment: dict[str, str]
    processes: int
    gpus: list[str]
    torchrun: bool


def starts_step(settings: dict, environment: Mapping[str, str]) -> bool:
    """Whether this process must start one step per node: it is in a Slurm job of several nodes, outside any step."""
    return settings["resources"]["nodes"] > 1 and "SLURM_JOB_ID" in environment and STEP not in environment


def step_command(program: str, arguments: Sequence[str], settings: dict) -> list[str]:
    """The command that starts the launching program once on each node; if one of them fails, srun ends all."""
    processes, nodes, gpus = (settings["resources"][key] for key in ("processes", "nodes", "gpus"))
    threads = settings["numerics"]["threads"] * processes // nodes
    command = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    command += [f"--gpus-per-node={gpus // nodes}"] if gpus else []
    return [*command, "--kill-on-bad-exit=1", sys.executable, "-m", "workflow_scripts.launch", program, *arguments]


def plan_launch(program: str, arguments: Sequence[str], settings: dict, environment: Mapping[str, str]) -> Launch:
    """The launch of a program: plain Python for one process without DeepSpeed, torchrun otherwise.

    With several nodes, one launching process runs on each node with Slurm's variables, and the processes connect to the
    first node of the job.

    Args:
        program: Name of a module in workflow_scripts.
        arguments: Arguments of the program.
        settings: Settings of the run; resources, numerics.threads and training.deepspeed are read.
        environment: Environment of this process.

    Raises:
        ConfigError: The number of nodes differs from that which the run requests, or raised by `take_gpus`.
    """
    processes, nodes, gpus = (settings["resources"][key] for key in ("processes", "nodes", "gpus"))
    if processes % nodes or gpus % nodes:
        raise ConfigError(f"resources: {processes} processes and {gpus} gpus cannot be shared equally by {nodes} nodes")
    visible = take_gpus(gpus // nodes, environment)
    threads = str(settings["numerics"]["threads"])
    ours = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "512",  # one kernel per shape; padding of batches keeps the shapes few
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
    """Run torchrun in this process until it ends; returns 0, or `STOPPED` if a warning has ended its workers.

    A scheduler's warning is sent on to the workers. While there are no workers, it is sent again every second; workers
    that start meanwhile end at once, because they have nothing to save. Torchrun could handle the warning itself
    (`--signals-to-handle`), but it would then fail even if the workers end without an error, and would not report how
    they ended.

    Raises:
        ChildFailedError: A worker has failed without a warning; torchrun has ended the others.
    """
    warned = 0

    def warn(number: int, frame: FrameType | None) -> None:
        nonlocal warned
        warned = warned or number
        if not warn_children(warned):
            signal.alarm(1)

    signal.signal(signal.SIGALRM, warn)
    os.environ.update(launch.environment, **{LAUNCHER: str(os.getpid())})
    with handling(warn):
        # Imported here because loading torch takes a second, in which a warning may arrive.
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
    """The command of one of torchrun's workers; from this call on the worker is killed when torchrun's process ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[LAUNCHER]):  # torchrun's process ended before this call
        os.kill(os.getpid(), signal.SIGKILL)
    return [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]


def leave() -> NoReturn:
    """End this process at once without an error, for a training program that has written all its output.

    The normal end of the interpreter is not safe with gloo. A late gloo thread may free the tensors of the last message
    during it and wait for the interpreter, which then ends the thread inside C++ code that cannot be unwound. The
    result is SIGABRT (github.com/pytorch/pytorch/issues/190489), with or without `destroy_process_group`.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(os.EX_OK)


def read_settings(arguments: Sequence[str]) -> dict:
    """The value of `--settings` among a program's arguments.

    Raises:
        ConfigError: `--settings` is missing, or its value is no JSON.
    """
    if "--settings" not in arguments[:-1]:
        raise ConfigError("--settings is missing: the JSON of the run's settings")
    text = arguments[arguments.index("--settings") + 1]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--settings is no JSON: {error}") from error


def _meeting_point(nodes: int, environment: Mapping[str, str]) -> list[str]:
    if nodes == 1:
        return ["--standalone"]
    given = environment.get("SLURM_NNODES", "no")
    if given != str(nodes):
        raise ConfigError(f"resources.nodes asks for {nodes} nodes; the scheduler gave {given} (SLURM_NNODES)")
    port = 10_000 + int(environment["SLURM_JOB_ID"]) % 20_000
    return [
        f"--nnodes={nodes}",
        f"--node-rank={environment['SLURM_NODEID']}",
        f"--master-addr={first_host(environment['SLURM_JOB_NODELIST'])}",
        f"--master-port={port}",
    ]


def first_host(node_list: str) -> str:
    """The first host of a list in Slurm's notation: `gpu[07-09,12],big1` gives `gpu07`."""
    match = re.match(r"(?P<prefix>[^,\[]+)(?:\[(?P<number>\d+)[^\]]*\](?P<suffix>[^,]*))?", node_list)
    return match["prefix"] + (match["number"] or "") + (match["suffix"] or "")


@contextmanager
def left_locks_removed(environment: Mapping[str, str]) -> Iterator[None]:
    """Remove lock files of killed compilers before the block runs, unless another run is active and may be compiling.

    DeepSpeed compiles kernels at their first use (for processes on a CPU, for offloaded optimisers), and torch writes a
    file `lock` beside a kernel while it is compiled. A run that is killed during compilation leaves this file, and all
    later runs would wait for it forever without a message.

    Args:
        environment: Environment of the processes that compile; TORCH_EXTENSIONS_DIR, XDG_CACHE_HOME or HOME gives the
            folder of the kernels.
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
