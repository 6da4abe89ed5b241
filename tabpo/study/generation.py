"""What generates the answers of a study's trained models and what they are held to, alike for all of them."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.study.shape import Section


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
"""Engine and constraint of a study that does not say otherwise; captions of tables name what it has instead."""


def check_generation(generation: Generation, prompted: Sequence[str]) -> None:
    """Refuse a constraint that not every row of the tables can be held to.

    Args:
        generation: Of the study.
        prompted: Names of the models behind an endpoint.

    Raises:
        ConfigError: What was asked, and what is accepted; or from `check_engine`.
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
            f"generation.constraint is {generation.constraint}, to which models.{prompted[0]} cannot be held behind its"
            " endpoint; accepted: constraint none, or a study without this model"
        )


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
