"""What generates the answers of a study's trained models and what they are held to, alike for all of them."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import Field

from tabpo.config_shape import Section
from tabpo.errors import ConfigError


class Batch(Section):
    """How a model's answers are generated where that differs from the study."""

    batch_size: int = Field(
        ge=1, le=65536, description="Prompts that are answered at a time; their number may change the last bits."
    )


class Generation(Batch):
    """Greedy decoding, alike for all rows; max_completion_tokens of a data set is its cap."""

    engine: Literal["transformers", "vllm"] = Field(
        "transformers", description="What generates the answers. vllm is installed by the user, and needs GPUs."
    )
    constraint: Literal["none", "json_schema"] = Field(
        "none",
        description=(
            "What answers are held to: nothing, or the JSON and the labels of the ontology, by a grammar that leaves"
            " out tokens. json_schema needs the engine transformers, and is not for preferences."
        ),
    )


USUAL = Generation.defaults()
"""What a study has that does not say otherwise; captions of tables name what it has instead."""


def complete_generation(config: Mapping[str, Any]) -> dict[str, str]:
    """Engine and constraint of a study, named or not.

    Raises:
        ConfigError: A constraint that not every row can be held to, or from `check_engine`.
    """
    generation = {key: config["generation"].get(key, usual) for key, usual in USUAL.items()}
    check_engine(generation["engine"])
    if generation["constraint"] == "none":
        return generation
    if generation["engine"] != "transformers":
        raise ConfigError(
            f"generation.constraint is {generation['constraint']} with engine {generation['engine']}; accepted: engine"
            " transformers, or constraint none"
        )
    prompted = [name for name, entry in config["models"].items() if "endpoint" in entry]
    if prompted:
        raise ConfigError(
            f"generation.constraint is {generation['constraint']}, which nothing holds models.{prompted[0]} to behind"
            " its endpoint; accepted: constraint none, or a study without it"
        )
    return generation


def check_engine(engine: str) -> None:
    """Refuse an engine whose package is not there.

    Raises:
        ConfigError: Says how to have it.
    """
    if engine == "vllm" and find_spec("vllm") is None:
        raise ConfigError(
            "generation.engine is vllm, but that package is not installed: pip install vllm in an environment of its"
            " own with this project, or engine: transformers"
        )


def unusual(generation: Mapping[str, str]) -> str:
    """What a caption says of the answers of trained models: nothing where they are as usual."""
    said = [f"{key} {generation[key]}" for key, usual in USUAL.items() if generation[key] != usual]
    return f" Answers of models trained here: {', '.join(said)}." if said else ""
