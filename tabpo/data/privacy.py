"""What may be shown of private data: no text, and no count that points at a few people; and where it may be sent."""

import ipaddress
from collections.abc import Sequence
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


def withhold_histogram(counts: dict[str, int]) -> dict[str, int | None]:
    """The same of counts whose sum is known: where one alone is withheld, the next smallest is too."""
    shown = withhold(counts)
    hidden = [name for name, count in shown.items() if count is None]
    others = sorted((count, name) for name, count in shown.items() if count)
    if len(hidden) == 1 and others:
        shown[others[0][1]] = None
    return shown


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
