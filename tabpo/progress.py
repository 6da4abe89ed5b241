"""How far a long loop is: a bar on a terminal, plain lines in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

HEARTBEAT_S = 10.0


def progress(
    iterable: Iterable[Item], total: int, what: str, tokens: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Pass the items on; off a terminal log how many, and the time left, about every ten seconds and at the end.

    Args:
        iterable: What the loop runs over.
        total: How many items it has.
        what: What is counted, in the plural: "batches of answers".
        tokens: Of an item; their number a second is shown too.
    """
    bar = tqdm(iterable, total=total, desc=what) if sys.stderr.isatty() else None
    start = spoke = time.monotonic()
    counted = 0
    for done, item in enumerate(iterable if bar is None else bar, start=1):
        yield item
        now = time.monotonic()
        counted += tokens(item) if tokens else 0
        rate = f"{counted / max(now - start, 1e-9):.0f} tokens/s" if tokens else ""
        if bar is not None:
            bar.set_postfix_str(rate, refresh=False)
        elif done == total or now - spoke >= HEARTBEAT_S:
            left = timedelta(seconds=round((now - start) / done * (total - done)))
            said = [f"{what}: {done}/{total}", rate, f"{left} left" if left else ""]
            logging.info("%s", ", ".join(filter(None, said)))
            spoke = now
