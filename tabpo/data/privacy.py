"""What marks pages of private data, and where private texts may be sent.

Everything that a study of private data writes stays inside and is complete, but for the folder `export/`.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from tabpo.errors import ConfigError

INSIDE_ONLY = "INSIDE ONLY"
"""Stands at the top of every page and figure that is made of private data."""

NOTICE = f"{INSIDE_ONLY}: made of private data, with exact counts. Only the folder export/ may leave."
"""The same as a sentence, for pages."""


def marked(text: str, private: Sequence[str], comment: str = "") -> str:
    """A page below the notice, where any of the data sets that it is made of is private.

    Args:
        text: Of the whole page.
        private: Names of its private data sets.
        comment: What makes a line a comment in the page's language.
    """
    return f"{comment}{NOTICE}\n\n{text}" if private else text


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
