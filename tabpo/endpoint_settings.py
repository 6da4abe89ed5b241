"""The entry of a model behind an endpoint: its keys, their defaults, and what is refused without being repeated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from tabpo.data.privacy import check_destination
from tabpo.errors import ConfigError


@dataclass(frozen=True)
class Endpoint:
    """A model that answers prompts over HTTP, by the protocol of OpenAI's chat completions.

    What may hold a secret by mistake (a password in the address, the key in the place of its variable's name) is
    refused by a message that does not say what was found.

    Attributes:
        url: What stands before `/chat/completions`, without user, query and fragment.
        model: Name that requests give.
        served_model: Name that answers carry; None where it is `model`, or that followed by a date.
        key_variable: Environment variable that holds the key; None where none is sent.
        token_cap: Field of a request that caps the tokens of its answer.
        concurrency: Requests at a time.
        timeout_s: How long a server may be silent.
        retries: How often a request is sent again that met a full or failing server.

    Raises:
        ConfigError: `url` or `key_variable` is none.
    """

    url: str
    model: str
    served_model: str | None = None
    key_variable: str | None = None
    token_cap: str = "max_tokens"
    concurrency: int = 4
    timeout_s: float = 300.0
    retries: int = 5

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise ConfigError("url is no address; accepted: http(s)://host[:port][/path], without user and query")
        if self.key_variable is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_variable):
            raise ConfigError(
                "key_variable is no name of an environment variable; accepted: capital letters, digits and _; the key"
                " itself stands in the environment alone"
            )

    def serves(self, name: str) -> bool:
        """Whether `name`, which an answer carries, is the model's: `gpt-x` may be served as `gpt-x-2025-04-14`."""
        expected = re.escape(self.model) + r"(-[0-9-]+)?" if self.served_model is None else re.escape(self.served_model)
        return re.fullmatch(expected, name) is not None


def complete_endpoint(where: str, entry: Mapping[str, Any], private: Sequence[str]) -> dict[str, Any]:
    """The entry of a study with every default.

    Args:
        where: `models.{name}.endpoint`.
        entry: As configured, of the schema's shape.
        private: Names of the study's private datasets.

    Raises:
        ConfigError: A value is refused, or private texts must not be sent there.
    """
    try:
        endpoint = Endpoint(**entry)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error}") from error
    check_destination(f"{where}.url", endpoint.url, private)
    return asdict(endpoint)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        return False
    plain = re.fullmatch(r"[A-Za-z0-9/:._~\[\]-]+", url) is not None
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)
