"""Progress of a long loop: a bar on a terminal, plain lines in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

HEARTBEAT_S = 10.0
"""Seconds between two log lines."""


def progress(
    iterable: Iterable[Item], total: int, what: str, tokens: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Yield the items of a loop and show its progress.

    If stderr is no terminal, the number of items done and the time left are logged about every ten seconds and at the
    end.

    Args:
        iterable: The items of the loop.
        total: How many items there are.
        what: What the items are, in the plural: "batches of answers".
        tokens: Returns the number of tokens of an item; tokens per second are then shown too.
    """
    bar = tqdm(iterable, total=total, desc=what) if sys.stderr.isatty() else None
    start = last_log = time.monotonic()
    n_tokens = 0
    for done, item in enumerate(iterable if bar is None else bar, start=1):
        yield item
        now = time.monotonic()
        n_tokens += tokens(item) if tokens else 0
        rate = f"{n_tokens / max(now - start, 1e-9):.0f} tokens/s" if tokens else ""
        if bar is not None:
            bar.set_postfix_str(rate, refresh=False)
        elif done == total or now - last_log >= HEARTBEAT_S:
            left = timedelta(seconds=round((now - start) / done * (total - done)))
            parts = [f"{what}: {done}/{total}", rate, f"{left} left" if left else ""]
            logging.info("%s", ", ".join(filter(None, parts)))
            last_log = now
