"""The keys of a model behind an endpoint; error messages about them never repeat a value that may be secret."""

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tabpo.errors import ConfigError
from tabpo.names import PROMPTED
from tabpo.study.shape import Section, check_reference


class Endpoint(Section):
    """A model that answers prompts over HTTP, by the protocol of OpenAI's chat completions. It is not trained.

    It is asked for greedy answers to the prompts of the other models, and is the row `prompted` in the tables. The
    server of private data must be on this machine.
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
        None,
        description=(
            "Name of the environment variable that holds the key. While this variable is not set, the study has no such"
            " model, unless it has answered before. If not given, no key is sent."
        ),
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


class Variant(Section):
    """One way to ask a model behind an endpoint."""

    demonstrations: int = Field(
        None,
        ge=0,
        le=32,
        description=(
            "Number of training texts with their answers that a prompt shows before its text. If not given, that of the"
            " data set."
        ),
    )
    constraint: Literal["none", "json_schema"] = Field(
        "none",
        description=(
            "json_schema sends the JSON Schema of the answers with each request (response_format), for the server to"
            " enforce."
        ),
    )


class PromptedModel(Section):
    """A model that is evaluated but not trained."""

    endpoint: Endpoint = Field(description="A model behind an OpenAI-compatible chat completions endpoint.")
    datasets: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of the data sets whose prompts are sent to the endpoint, no other text is; if not given, all of the"
            " study."
        ),
    )
    variants: dict[str, Variant] = Field(
        None,
        min_length=1,
        description=(
            "Ways to ask, by name. For each data set all of them answer dev_select, and the one that is best there also"
            " answers test, as the row prompted. If not given, the data set's prompts without a constraint."
        ),
    )
    select_by: str = Field(
        "semantic_label", description="Metric (docs/scores.md) on dev_select by which the variant is chosen."
    )


def models_without_key(models: Mapping[str, Any], environment: Mapping[str, str], results: Path) -> dict[str, str]:
    """Return the models behind endpoints whose key is not in the environment, with the variable that would hold it.

    A model that has answered before is not among them: its answers need no key, and jobs on other machines, which have
    no key, read the same study.

    Args:
        models: The entries of the study's models.
        environment: The environment variables.
        results: Folder of the study's results.
    """
    return {
        name: variable
        for name, entry in models.items()
        if (variable := entry.get("endpoint", {}).get("key_variable")) is not None
        and not environment.get(variable)
        and not any(results.glob(f"*/{name}/{PROMPTED}/**/completions/*.parquet"))
    }


def without_models(config: Mapping[str, Any], absent: Mapping[str, str]) -> dict[str, Any]:
    """Remove these models, and the tables that show no other model or compare with one of these.

    Args:
        config: The study's keys.
        absent: The variables that would hold the models' keys, from `models_without_key`.

    Raises:
        ConfigError: No model or no table would be left.
    """
    models = {name: entry for name, entry in config["models"].items() if name not in absent}
    shown = {
        name: entry | {"models": [model for model in entry["models"] if model not in absent]}
        if "models" in entry
        else entry
        for name, entry in config["tables"].items()
    }
    tables = {name: entry for name, entry in shown.items() if entry.get("models") != [] and not _against(entry, absent)}
    if absent and not (models and tables):
        name, variable = next(iter(absent.items()))
        raise ConfigError(
            f"models.{name}.endpoint.key_variable is {variable}, which is not set in the environment; this leaves the"
            f" model out, and no {'table' if models else 'model'} remains"
        )
    return {**config, "models": models, "tables": tables}


def _against(table: Mapping[str, Any], models: Collection[str]) -> bool:
    against = table.get("tests", {}).get("against")
    return isinstance(against, Mapping) and against["model"] in models


def complete_prompted(
    name: str, entry: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Check a model behind an endpoint, and return its entry with every key.

    Args:
        name: Name of the model.
        entry: The entry as configured; the schema has been checked.
        datasets: The study's data sets with every key.
        metrics: The metrics of each data set.

    Raises:
        ConfigError: The endpoint would get private texts and is on another machine; or the entry names a data set or a
            metric that does not exist, or demonstrations for prompts that are the text alone.
    """
    where, asked = f"models.{name}", entry.get("datasets", list(datasets))  # may be empty: data sets can be left out
    complete = PromptedModel(**{**entry, "datasets": list(datasets)}).model_dump() | {"datasets": asked}
    complete["endpoint"] = {key: value for key, value in complete["endpoint"].items() if value is not None}
    complete["variants"] = complete["variants"] or {"prompts": Variant().model_dump()}
    for dataset in complete["datasets"]:
        check_reference(f"{where}.datasets", dataset, "datasets", datasets)
        if len(complete["variants"]) > 1:
            check_reference(f"{where}.select_by", complete["select_by"], dataset, metrics[dataset])
        for variant, settings in complete["variants"].items():
            if settings["demonstrations"] and datasets[dataset].get("prompt") == "bare":
                raise ConfigError(
                    f"{where}.variants.{variant}.demonstrations is for prompts that instruct; datasets.{dataset} has"
                    " prompt: bare"
                )
    private = [dataset for dataset in complete["datasets"] if datasets[dataset]["private"]]
    check_destination(f"{where}.endpoint.url", complete["endpoint"]["url"], private)
    return complete


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
    """Refuse an address on another machine for private data.

    Args:
        where: The key that has the address, for the message.
        url: The address as configured.
        private: Names of the private datasets whose texts would be sent.

    Raises:
        ConfigError: There are such datasets, and the address is on another machine.
    """
    if private and not is_loopback(url):
        raise ConfigError(
            f"{where} is not on this machine, and datasets.{private[0]} is private; accepted beside private data:"
            " localhost, 127.0.0.0/8 or ::1"
        )
