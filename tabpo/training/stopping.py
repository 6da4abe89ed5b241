"""A scheduler's warning: the step in hand is finished and kept, and the process ends so that it is started again."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What schedulers send some time before they kill."""

STOPPED = os.EX_TEMPFAIL
"""Exit code of a run that was warned and is not finished: no error; started again, it goes on."""


class Warned:
    """Whether a warning has come; a second one ends the process at once."""

    def __init__(self):
        self.yet = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.yet = True
        for one in SIGNALS:
            signal.signal(one, signal.SIG_DFL)


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle warnings for the time of the block; only the main thread may ask for it."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
