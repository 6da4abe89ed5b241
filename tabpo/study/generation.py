"""How the answers of a study's trained models are generated; engine and constraint are common to all models."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.study.shape import Section


class Batch(Section):
    """How the answers of one model are generated, where this differs from the study."""

    batch_size: int = Field(
        ge=1,
        le=65536,
        description="Number of prompts that are answered together; it may change the last bits of results.",
    )


class Generation(Batch):
    """Greedy decoding for all rows; max_completion_tokens of the data set limits the length of an answer."""

    engine: Literal["transformers", "vllm"] = Field(
        "transformers",
        description="Package that generates the answers. The user has to install vllm, which needs GPUs.",
    )
    constraint: Literal["none", "json_schema"] = Field(
        "none",
        description=(
            "Constraint on the answers. none generates freely; json_schema excludes by a grammar every token that would"
            " break the JSON format or the labels of the ontology. json_schema needs the engine transformers, and is"
            " not accepted in a study of preferences."
        ),
    )


USUAL = Generation.defaults()
"""The default engine and constraint; captions of tables name other values."""


def check_generation(generation: Generation, prompted: Sequence[str]) -> None:
    """Refuse a missing engine, and a constraint that cannot be applied to every row of the tables.

    Args:
        generation: The study's settings.
        prompted: Names of the models behind an endpoint.

    Raises:
        ConfigError: The message says what was asked, and what is accepted.
    """
    check_engine(generation.engine)
    if generation.constraint == "none":
        return
    if generation.engine != "transformers":
        raise ConfigError(
            f"generation.constraint is {generation.constraint} with engine {generation.engine}; accepted: engine"
            " transformers, or constraint none"
        )
    if prompted:
        raise ConfigError(
            f"generation.constraint is {generation.constraint}, which cannot be applied to models.{prompted[0]} behind"
            " its endpoint; accepted: constraint none, or a study without this model"
        )


def check_engine(engine: str) -> None:
    """Refuse an engine whose package is not installed.

    Raises:
        ConfigError: The message says how to install the package.
    """
    if engine == "vllm" and find_spec("vllm") is None:
        raise ConfigError(
            "generation.engine is vllm, but that package is not installed: pip install vllm in an environment of its"
            " own with this project, or set engine: transformers"
        )


def unusual(generation: Mapping[str, str]) -> str:
    """Return a caption's sentence about engine and constraint of trained models; "" for the defaults."""
    changed = [f"{key} {generation[key]}" for key, usual in USUAL.items() if generation[key] != usual]
    return f" Answers of models trained here: {', '.join(changed)}." if changed else ""
