"""How far a long loop is: a bar on a terminal, plain lines in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

HEARTBEAT_S = 10.0


def progress(iterable: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass the items on; off a terminal log `what: done/total` about every ten seconds and at the end.

    Args:
        iterable: What the loop runs over.
        total: How many items it has.
        what: What is counted, in the plural: "batches of answers".
    """
    if sys.stderr.isatty():
        yield from tqdm(iterable, total=total, desc=what)
        return
    spoke = time.monotonic()
    for done, item in enumerate(iterable, start=1):
        yield item
        if done == total or time.monotonic() - spoke >= HEARTBEAT_S:
            logging.info("%s: %d/%d", what, done, total)
            spoke = time.monotonic()
