"""The entry of a model behind an endpoint: its keys, and what is refused without being repeated."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tabpo.errors import ConfigError
from tabpo.study.shape import Section


class Endpoint(Section):
    """A model that answers prompts over HTTP, by the protocol of OpenAI's chat completions; it is not trained.

    It is asked greedily for answers to the same prompts and is a row `prompted` in the tables. Beside private data it
    has to be on this machine.
    """

    url: str = Field(description="Address without /chat/completions, user and query, such as http://localhost:8000/v1.")
    model: str = Field(
        min_length=1, description="Name that the server knows the model by; best one that names a version."
    )
    served_model: str = Field(
        None,
        min_length=1,
        description="Name that the answers carry. Where not given, that of model is accepted, a date behind it too.",
    )
    key_variable: str = Field(
        None, description="Environment variable that holds the key. Where not given, no key is sent."
    )
    token_cap: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="Field of a request that caps the tokens of its answer."
    )
    concurrency: int = Field(4, ge=1, le=256, description="Number of requests at a time.")
    timeout_s: float = Field(300.0, gt=0, le=3600, description="Seconds for which the server may be silent.")
    retries: int = Field(
        5, ge=0, le=20, description="How often a request that met a full or failing server is sent again."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        """Refuse what is no address without repeating it: it may hold a password."""
        if not _is_address(url):
            raise ValueError("is no address; accepted: http(s)://host[:port][/path], without user and query")
        return url

    @field_validator("key_variable")
    @classmethod
    def _check_key_variable(cls, name: str) -> str:
        """Refuse what is no name of a variable without repeating it: it may be the key."""
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            raise ValueError(
                "is no name of an environment variable; accepted: capital letters, digits and _; the key itself stands"
                " in the environment alone"
            )
        return name

    def serves(self, name: str) -> bool:
        """Whether `name`, which an answer carries, is the model's: `gpt-x` may be served as `gpt-x-2025-04-14`."""
        expected = re.escape(self.model) + r"(-[0-9-]+)?" if self.served_model is None else re.escape(self.served_model)
        return re.fullmatch(expected, name) is not None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        return False
    plain = re.fullmatch(r"[A-Za-z0-9/:._~\[\]-]+", url) is not None
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


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
