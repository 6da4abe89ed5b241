"""A scheduler's warning: the step in hand is finished and kept, and the process ends so that it is started again."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What schedulers send some time before they kill."""

STOPPED = os.EX_TEMPFAIL
"""Exit code of a run that was warned and is not finished: no error; started again, it goes on."""

REPEAT_S = 5.0
"""For so long the same warning may come again: to all processes of a job, from the launching one, from torchrun."""


class Warned:
    """Whether a warning has come; another one, later than `REPEAT_S`, ends the process at once."""

    def __init__(self):
        self._at: float | None = None

    @property
    def yet(self) -> bool:
        """Whether it has."""
        return self._at is not None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._at is None:
            self._at = time.monotonic()
        elif time.monotonic() - self._at > REPEAT_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle warnings for the time of the block; only the main thread may ask for it."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def warn_children(number: int) -> bool:
    """Send a signal to the processes that this one has started and that have not ended; whether there are any."""
    threads = Path("/proc/self/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    for child in children:
        with suppress(ProcessLookupError):  # it has ended just now
            os.kill(child, number)
    return bool(children)


def pass_on_warnings() -> None:
    """Have SIGUSR1 from now on reach what this process has started, and not end it; for the Snakemake of a job.

    Slurm warns the processes that it has started itself, and where it tracks them by cgroups no others.
    """
    signal.signal(signal.SIGUSR1, lambda number, frame: warn_children(number))
