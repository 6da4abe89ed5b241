"""Checkpoints of one run: complete or ignored, of the same settings and inputs, written by one process at a time."""

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
"""The file that is written last: number of processes, and the hash of every other file."""

KEPT = 2


def run_key(run_yaml: str, input_hashes: dict[str, str]) -> str:
    """Name of the folder of a run's checkpoints: other settings or inputs have another one."""
    return sha256_text(run_yaml + json.dumps(input_hashes, sort_keys=True))[:12]


@contextmanager
def single_writer(folder: Path) -> Iterator[None]:
    """Hold the run's folder for the time of the block; the lock goes with the process, however it ends.

    Args:
        folder: Of one run; is made, and removed again when nothing but the lock is left in it.

    Raises:
        DataError: Another process holds it.
    """
    lock = folder / "lock"
    handle = _lock(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is still held: who waits for the old file looks again
        os.close(handle)
        with suppress(OSError):
            folder.rmdir()


def _lock(lock: Path) -> int:
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the one before may have removed the folder just now
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode() or "another process"
            os.close(handle)
            raise DataError(f"{lock.parent}: {holder} is writing this run; wait for it to end, or end it") from None
        with suppress(FileNotFoundError):  # or the file
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                os.truncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return handle
        os.close(handle)


def newest_complete(folder: Path, processes: int) -> Path | None:
    """The checkpoint to go on from, None to start at the beginning; incomplete ones are removed.

    Args:
        folder: Of one run key; need not exist.
        processes: Of this run.

    Raises:
        DataError: It was written by another number of processes.
    """
    for checkpoint in _newest_first(folder):
        if _is_complete(checkpoint):
            _check_processes(checkpoint, processes)
            return checkpoint
        logging.warning("%s is not complete: removed", checkpoint.name)
        shutil.rmtree(checkpoint)
    return None


def mark_complete(checkpoint: Path, processes: int) -> None:
    """Say that all is written, and keep this checkpoint and the one before it only."""
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
    return all((checkpoint / name).is_file() and sha256_file(checkpoint / name) == one for name, one in hashes.items())


def _check_processes(checkpoint: Path, processes: int) -> None:
    written = json.loads((checkpoint / COMPLETE).read_text())["processes"]
    if written != processes:
        raise DataError(
            f"{checkpoint} was written by {written} processes and can only be continued by as many, not by {processes}:"
            f" set `processes: {written}`, or remove {checkpoint.parent} to start this run again"
        )


class Checkpoints(TrainerCallback):
    """Every so many steps, but not after the last: the Trainer's files, the logged rows, then the mark."""

    def __init__(self, trainer: Trainer):
        """A `StepTrainer`."""
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """The clock of the first step, and what DeepSpeed would not tell."""
        if self.trainer.is_deepspeed_enabled:
            self.trainer.tell_gradient_norm()
        self.trainer.restart_clock()

    def on_step_end(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """Whether this step has a checkpoint; a warning asks for one by itself."""
        due = state.global_step % self.trainer.settings.checkpoint_steps == 0
        control.should_save = due and state.global_step < self.trainer.last_step

    def on_save(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """The rest of it, once the Trainer has written its own files in all processes."""
        self.trainer.accelerator.wait_for_everyone()
        if args.process_index == 0:
            checkpoint = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self.trainer.write_state(checkpoint)
            mark_complete(checkpoint, self.trainer.plan.processes)
        self.trainer.accelerator.wait_for_everyone()
        self.trainer.restart_clock()
