"""What may be shown of private data, and where it may be sent: one rule for all that a study writes.

Inside, whole and exact, stays what later jobs read: every Parquet file, `scores/*.json`, `*.ids.txt`, `watch.json`,
`selection.json`, models, checkpoints and kept answers of an endpoint; and `logs/events`, which repeats training logs.
They hold texts, or counts that point at a few people, and belong where the data may be.

Reports may leave: cards, audits (`.audit.json`, `.isolation.json`, `.reference.json`, `stability.json`), pages, tables,
figures, logs, settings and provenance of runs. They hold no text. Of how many records, texts or answers something is
true (a label, an outcome, a reason), they state no number from 1 to 4, and nothing that tells one: no complement, no
total with all parts but one. A table leaves a metric out whose gold items are so few, and a row that tells so few of
them found or missed, answers or pairs; its numbers are rounded as they are printed, in the CSV too. How many documents,
prompts and answers a job works on in all says nothing of anyone in particular: logs state it. Of pairs they do not, as
the prompts without one are those that allow none; steps and batches bound them.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tabpo.errors import ConfigError

SMALL = 5
"""Counts below this, and above zero, are withheld."""


def withhold(value: Any) -> Any:
    """A value with None for each count from 1 to 4, however deep in dicts and lists; other numbers stay."""
    if isinstance(value, dict):
        return {key: withhold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [withhold(item) for item in value]
    return None if type(value) is int and 0 < value < SMALL else value


def withhold_part(part: int, whole: int) -> int | None:
    """A part of a whole that is shown: None where it, or what it leaves of the whole, is a count from 1 to 4."""
    return None if None in withhold([part, whole - part]) else part


def tells_few(share: float, whole: int) -> bool:
    """Whether a share of a whole, from 0 to 1, tells a count from 1 to 4: its own or the rest's; ties count half."""
    part = round(share * whole, 6)
    return 0 < part < SMALL or 0 < whole - part < SMALL


def withhold_histogram(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Parts of a whole that may be shown; where those withheld would be told by their sum, one more is withheld.

    The next smallest it is, where they are one alone, fewer than 5 together, or all 1 but for one 2: without it, the
    whole less the others would tell a small count, or that all are 1. All 1 but for one 2, so that the rule itself,
    which a reader may know, does not tell that all are 1.
    """
    hidden = {name for name, count in counts.items() if 0 < count < SMALL}
    others = sorted((count, name) for name, count in counts.items() if count >= SMALL)
    if others and 0 < sum(counts[name] for name in hidden) < max(SMALL, len(hidden) + 2):
        hidden.add(others[0][1])
    return {name: None if name in hidden else count for name, count in counts.items()}


def coarse(value: Any) -> Any:
    """A value with two decimals in each float, however deep in dicts and lists: six of a share tell its whole."""
    if isinstance(value, dict):
        return {key: coarse(item) for key, item in value.items()}
    if isinstance(value, list):
        return [coarse(item) for item in value]
    return round(value, 2) if isinstance(value, float) else value


def without_small(counts: Mapping[str, int]) -> dict[str, int]:
    """Of counts by reason those that may be shown; which reasons the others have is left out too."""
    return {name: count for name, count in counts.items() if not 0 < count < SMALL}


def is_loopback(url: str) -> bool:
    """Whether what is sent to `url` stays on this machine: its host is localhost, in 127.0.0.0/8, or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may resolve to anything
        return False


def check_destination(where: str, url: str, private: Sequence[str]) -> None:
    """Refuse an address that private texts must not be sent to.

    Args:
        where: The key that has it, for the message.
        url: As configured.
        private: Names of the study's private datasets.

    Raises:
        ConfigError: There is private data, and the address is not of this machine.
    """
    if private and not is_loopback(url):
        raise ConfigError(
            f"{where} is not on this machine, and datasets.{private[0]} is private; accepted beside private data:"
            " localhost, 127.0.0.0/8 or ::1"
        )
