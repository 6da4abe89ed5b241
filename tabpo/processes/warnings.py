"""A scheduler's warning: a run finishes and keeps its current step, then ends so that it can be started again."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""Signals that schedulers send some time before they kill a job."""

STOPPED = os.EX_TEMPFAIL
"""Exit code of a run that ended because of a warning: this is no error, and the run continues when started again."""

REPEAT_S = 5.0
"""Repeated warnings within this time count as one: schedulers, the launching process and torchrun may all send it."""


class Warned:
    """Records the first warning; another warning, more than `REPEAT_S` later, ends the process at once.

    Attributes:
        number: The signal of the first warning.
    """

    def __init__(self):
        self._at: float | None = None
        self.number: int | None = None

    @property
    def received(self) -> bool:
        """A warning has arrived."""
        return self._at is not None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Record a warning; used as the handler of a signal."""
        if self._at is None:
            self._at, self.number = time.monotonic(), number
        elif time.monotonic() - self._at > REPEAT_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle warning signals while the block runs; only the main thread may set handlers."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def end_warned(warned: Warned) -> NoReturn:
    """End this process after a warning; what it has kept is the start of the next.

    SIGUSR1 is the warning that a job asked for, before its time ends. Slurm is then asked to put the same job back into
    the queue, which no start of Snakemake has to see, and which uses up no retry. SIGTERM may be the end that a user
    wanted, and asks for nothing.

    Raises:
        SystemExit: Always, with `STOPPED`.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if warned.number == signal.SIGUSR1 and job is not None:
        asked = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
        logging.info("job %s goes back into the queue%s", job, f": {asked.stderr.strip()}" if asked.returncode else "")
    sys.exit(STOPPED)


def warn_children(number: int) -> bool:
    """Send a signal to running child processes, or those of a child that is a shell; returns whether there are any."""
    warned = False
    for child in _children("self"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the child has just ended
            is_shell = Path(f"/proc/{child}/comm").read_text().strip() in ("sh", "bash")
            for process in _children(str(child)) if is_shell else [child]:
                os.kill(process, number)
                warned = True
    return warned


def _children(process: str) -> list[int]:
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def pass_on_warnings() -> None:
    """From now on send SIGUSR1 on to the child processes instead of ending; for the Snakemake process in a job.

    Slurm sends the warning only to processes that it has started itself if it tracks processes by cgroups.
    """
    signal.signal(signal.SIGUSR1, lambda number, frame: warn_children(number))
