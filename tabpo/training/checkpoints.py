"""Checkpoints of a run: only complete ones of equal settings and inputs are used, and one process writes at a time."""

import fcntl
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transformers import Trainer, TrainerCallback, TrainingArguments

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import DataError

COMPLETE = "COMPLETE"
"""The file that is written last: it holds the number of processes and the hash of every other file."""

KEPT = 2
"""Number of checkpoints that are kept."""


def run_key(run_yaml: str, input_hashes: dict[str, str]) -> str:
    """Name of the folder of a run's checkpoints; it depends on the settings and the inputs."""
    return sha256_text(run_yaml + json.dumps(input_hashes, sort_keys=True))[:12]


@contextmanager
def single_writer(folder: Path) -> Iterator[None]:
    """Lock the run's folder while the block runs; the lock ends with the process, however the process ends.

    Args:
        folder: Folder of one run; it is created, and removed afterwards if it is empty.

    Raises:
        DataError: Another process holds the lock.
    """
    lock = folder / "lock"
    handle = _lock(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # removed while still held; a process that opened the old file tries again
        os.close(handle)
        with suppress(OSError):
            folder.rmdir()


def _lock(lock: Path) -> int:
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the previous writer may have just removed the folder
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode() or "another process"
            os.close(handle)
            raise DataError(f"{lock.parent}: {holder} is writing this run; wait for it to end, or end it") from None
        with suppress(FileNotFoundError):  # the previous writer may have just removed the file
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                os.truncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return handle
        os.close(handle)


def newest_complete(folder: Path, processes: int) -> Path | None:
    """The checkpoint to resume from, or None to start at the beginning; incomplete checkpoints are removed.

    Args:
        folder: Folder of one run key; it need not exist.
        processes: Number of processes of this run.

    Raises:
        DataError: The checkpoint was written by another number of processes.
    """
    for checkpoint in _newest_first(folder):
        if _is_complete(checkpoint):
            _check_processes(checkpoint, processes)
            return checkpoint
        logging.warning("%s is incomplete and is removed", checkpoint.name)
        shutil.rmtree(checkpoint)
    return None


def mark_complete(checkpoint: Path, processes: int) -> None:
    """Mark a checkpoint as complete, and remove all checkpoints except this and the previous one."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    hashes = {str(path.relative_to(checkpoint)): sha256_file(path) for path in files}
    write_json(checkpoint / COMPLETE, {"processes": processes, "sha256": hashes})
    for old in _newest_first(checkpoint.parent)[KEPT:]:
        shutil.rmtree(old)


def _newest_first(folder: Path) -> list[Path]:
    checkpoints = folder.glob("checkpoint-*")
    return sorted(checkpoints, key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)


def _is_complete(checkpoint: Path) -> bool:
    mark = checkpoint / COMPLETE
    if not mark.exists():
        return False
    hashes = json.loads(mark.read_text())["sha256"]
    return all((checkpoint / name).is_file() and sha256_file(checkpoint / name) == sha for name, sha in hashes.items())


def _check_processes(checkpoint: Path, processes: int) -> None:
    written = json.loads((checkpoint / COMPLETE).read_text())["processes"]
    if written != processes:
        raise DataError(
            f"{checkpoint} was written by {written} processes and can only be resumed by as many, not by {processes}:"
            f" set `processes: {written}`, or remove {checkpoint.parent} to start this run again"
        )


class Checkpoints(TrainerCallback):
    """Writes a checkpoint every `checkpoint_steps` steps except after the last: Trainer's files, rows, mark."""

    def __init__(self, trainer: Trainer):
        """`trainer` is a `StepTrainer`."""
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """Start the clock of the first step, and make DeepSpeed keep the norm of the gradient."""
        if self.trainer.is_deepspeed_enabled:
            self.trainer.keep_gradient_norm()
        self.trainer.restart_clock()

    def on_step_end(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """Decide whether this step gets a checkpoint; a warning requests one separately."""
        due = state.global_step % self.trainer.settings.checkpoint_steps == 0
        control.should_save = due and state.global_step < self.trainer.last_step

    def on_save(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """Complete the checkpoint after the Trainer has written its files in all processes."""
        self.trainer.accelerator.wait_for_everyone()
        if args.process_index == 0:
            checkpoint = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self.trainer.write_state(checkpoint)
            mark_complete(checkpoint, self.trainer.plan.processes)
        self.trainer.accelerator.wait_for_everyone()
        self.trainer.restart_clock()
