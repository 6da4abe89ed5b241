"""How the answers of a study's trained models are generated; engine and constraint are common to all models."""

from collections.abc import Mapping, Sequence
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
        description=(
            "Package that generates the answers. vllm runs in an environment of its own, which `make setup-vllm` makes."
        ),
    )
    constraint: Literal["none", "json_schema"] = Field(
        "none",
        description=(
            "Constraint on the answers. none generates freely; json_schema excludes by a grammar every token that would"
            " break the JSON format or the labels of the ontology. json_schema is not accepted in a study of"
            " preferences."
        ),
    )


SAMPLES = 8
"""Number of samples of each prompt for tables of stability."""

USUAL = Generation.defaults()
"""The default engine and constraint; captions of tables name other values."""


def check_generation(generation: Generation, prompted: Sequence[str]) -> None:
    """Refuse a constraint that cannot be applied to every row of the tables.

    Args:
        generation: The study's settings.
        prompted: Names of the models behind an endpoint.

    Raises:
        ConfigError: The message says what was asked, and what is accepted.
    """
    if prompted and generation.constraint != "none":
        raise ConfigError(
            f"generation.constraint is {generation.constraint}, which cannot be applied to models.{prompted[0]} behind"
            " its endpoint; accepted: constraint none, or a study without this model"
        )


def unusual(generation: Mapping[str, str]) -> str:
    """Return a caption's sentence about engine and constraint of trained models; "" for the defaults."""
    changed = [f"{key} {generation[key]}" for key, usual in USUAL.items() if generation[key] != usual]
    return f" Answers of models trained here: {', '.join(changed)}." if changed else ""
