"""Checkpoints of a run: only complete ones of equal settings and inputs are used, and one process writes at a time."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from transformers import Trainer, TrainerCallback, TrainingArguments

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import DataError
from tabpo.processes.lease import HeldError, Owner, held
from tabpo.processes.warnings import Warned, end_warned, handling

COMPLETE = "COMPLETE"
"""The file that is written last: it holds the number of processes and the hash of every other file."""

KEPT = 2
"""Number of checkpoints that are kept."""


def run_key(run_yaml: str, input_hashes: dict[str, str]) -> str:
    """Name of the folder of a run's checkpoints; it depends on the settings and the inputs."""
    return sha256_text(run_yaml + json.dumps(input_hashes, sort_keys=True))[:12]


@contextmanager
def single_writer(folder: Path) -> Iterator[bool]:
    """Lock the run's folder while the block runs; the value is whether it waited for an earlier start.

    A scheduler may start a job again while its first start still writes on a node that it cannot reach. The second
    start then waits for the end of the first. Every other second writer is refused, and the lock of a dead writer is
    taken over.

    Args:
        folder: Folder of one run; it is created, and removed afterwards if it is empty.

    Raises:
        DataError: Another process holds the lock.
        SystemExit: This process was warned while it waited.
    """
    job, warned = os.environ.get("SLURM_JOB_ID"), Warned()

    def wait_for(owner: Owner) -> bool:
        if warned.received:
            end_warned(warned)
        return owner.job is not None and owner.job == job

    with ExitStack() as stack:
        try:
            with handling(warned.note):
                waited = stack.enter_context(held(folder / "lock", wait_for))
        except HeldError as error:
            end = f"scancel {error.owner.job}" if error.owner.job else "kill it"
            raise DataError(f"{folder}: {error} is writing this run; wait for it to end, or end it ({end})") from None
        yield waited
    with suppress(OSError):
        folder.rmdir()


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
