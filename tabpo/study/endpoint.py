"""The keys of a model behind an endpoint; error messages about them never repeat a value that may be secret."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tabpo.errors import ConfigError
from tabpo.study.shape import Section


class Endpoint(Section):
    """A model that answers prompts over HTTP, by the protocol of OpenAI's chat completions. It is not trained.

    It is asked for greedy answers to the prompts of the other models, and is the row `prompted` in the tables. In a
    study with private data the server must be on this machine.
    """

    url: str = Field(
        description="Address of the server without /chat/completions, user and query: http://localhost:8000/v1."
    )
    model: str = Field(
        min_length=1, description="Name of the model on the server; prefer a name that includes a version."
    )
    served_model: str = Field(
        None,
        min_length=1,
        description=(
            "Name of the model in the server's answers. If not given, the value of model is accepted, also with a date"
            " after it."
        ),
    )
    key_variable: str = Field(
        None, description="Name of the environment variable that holds the key. If not given, no key is sent."
    )
    token_cap: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="Name of the request's field that limits the number of tokens in the answer."
    )
    concurrency: int = Field(4, ge=1, le=256, description="Number of requests that are open at a time.")
    timeout_s: float = Field(
        300.0, gt=0, le=3600, description="Seconds without data from the server after which a request has failed."
    )
    retries: int = Field(
        5, ge=0, le=20, description="How often a request is sent again if the server is overloaded or fails."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        """Refuse a value that is not an address; the message does not repeat it, since it may contain a password."""
        if not _is_address(url):
            raise ValueError("is no address; accepted: http(s)://host[:port][/path], without user and query")
        return url

    @field_validator("key_variable")
    @classmethod
    def _check_key_variable(cls, name: str) -> str:
        """Refuse a value that is not a variable's name; the message does not repeat it, since it may be the key."""
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            raise ValueError(
                "is no name of an environment variable; accepted: capital letters, digits and _; put the key itself"
                " into the environment only"
            )
        return name

    def serves(self, name: str) -> bool:
        """Whether the model's name in an answer is the expected one; `gpt-x` may be served as `gpt-x-2025-04-14`."""
        expected = re.escape(self.model) + r"(-[0-9-]+)?" if self.served_model is None else re.escape(self.served_model)
        return re.fullmatch(expected, name) is not None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises ValueError if the port is not a number
    except ValueError:
        return False
    plain = re.fullmatch(r"[A-Za-z0-9/:._~\[\]-]+", url) is not None
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


def is_loopback(url: str) -> bool:
    """Whether requests to `url` stay on this machine: its host is localhost, an address in 127.0.0.0/8, or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name other than localhost may resolve to any address
        return False


def check_destination(where: str, url: str, private: Sequence[str]) -> None:
    """Refuse an address on another machine in a study with private data.

    Args:
        where: The key that has the address, for the message.
        url: The address as configured.
        private: Names of the study's private datasets.

    Raises:
        ConfigError: The study has private data, and the address is on another machine.
    """
    if private and not is_loopback(url):
        raise ConfigError(
            f"{where} is not on this machine, and datasets.{private[0]} is private; accepted beside private data:"
            " localhost, 127.0.0.0/8 or ::1"
        )
