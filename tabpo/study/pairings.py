"""Recipes of preference pairs: the keys of each kind of recipe, and what it requires of the data and of choices."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.names import GIVEN, KINDS, ON_POLICY, ONE_OF_EACH
from tabpo.study.shape import Section

DISAGREEMENT = "disagreement"
"""The value of `heldout` for confusions between two annotators, which do not depend on any model's training data."""

PARTS = {
    None: (),
    "dev_confusion": ("dev_confusion",),
    "dev": ("dev_confusion", "dev_select"),
    "crossfit": ("train",),
    DISAGREEMENT: ("train", "dev_confusion"),
}
"""The parts of a dataset that confusions come from, by a pairing's `heldout`; None for a pairing without confusions."""


class Pairing(Section):
    """A recipe of preference pairs."""

    confusions: Literal["expert", "empirical", "mixed", DISAGREEMENT, "uniform", ON_POLICY, GIVEN] = Field(
        description=(
            "Where rejected answers come from. Most kinds edit gold answers. The edits are drawn from expert patterns"
            " (expert), from the counts of the SFT model's confusions (empirical), from both (mixed), from the"
            " differences between two annotators on train and half of dev (disagreement), or from all valid edits with"
            " equal probability (uniform). on_policy takes the SFT model's wrong answers to the training prompts; given"
            " takes the pairs of a data set of preferences. These two accept no other key but flip_rate."
        )
    )
    heldout: Literal["dev_confusion", "dev", "crossfit"] = Field(
        None,
        description=(
            "Records on which the SFT model's confusions are counted: half of dev (dev_confusion); all of dev (dev), on"
            " which no weights may then be chosen; or train (crossfit), by five models, each trained on the other four"
            " folds. Needed if answers are edited, except for disagreement."
        ),
    )
    negatives: int = Field(
        1, ge=1, le=16, description="Number of rejected answers per prompt. Needed if answers are edited."
    )
    edits: int = Field(
        None, ge=1, le=3, description="Largest number of edits in a rejected answer. Needed if answers are edited."
    )
    smoothing: float = Field(
        None, ge=0, description="Number added to the count of every valid confusion. Needed if answers are edited."
    )
    expert_share: float = Field(
        None, ge=0, le=1, description="Share of the edits that expert patterns propose. mixed needs this key."
    )
    kinds: list[str] | dict[str, float] | Literal[ONE_OF_EACH] | None = Field(
        None,
        description=(
            f"Kinds of errors that edits introduce, among {', '.join(KINDS)}. A list takes these kinds in the"
            " proportions of the confusions; a mapping gives the share of each kind;"
            f" {ONE_OF_EACH} makes three pairs per example, which change a label, remove a record and add a record. If"
            " not given, all kinds. Only if answers are edited."
        ),
    )
    max_token_edits: int | None = Field(
        None,
        ge=1,
        description="Largest token edit distance of a pair; if not given, no limit. Only if answers are edited.",
    )
    flip_rate: float = Field(
        0.0, ge=0, le=0.5, description="Share of pairs whose chosen and rejected answers are swapped, as label noise."
    )


def complete_pairing(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with every key; keys that its kind does not use are None or have a value without effect.

    Args:
        where: Place of the recipe for messages: `pairings.{name}`.
        entry: The recipe as configured; the schema has been checked.

    Raises:
        ConfigError: The recipe lacks a key that its kind needs, has a key that its kind does not use, or has kinds
            that are not accepted.
    """
    kind, needed = entry["confusions"], {"confusions"}
    if kind not in (ON_POLICY, GIVEN):
        needed |= {"negatives", "edits", "smoothing"}
        needed |= set() if kind == DISAGREEMENT else {"heldout"}
    if kind == "mixed":
        needed.add("expert_share")
    optional = {"flip_rate"} | ({"kinds", "max_token_edits"} if "edits" in needed else set())
    if set(entry) - optional != needed:
        raise ConfigError(
            f"{where} has {', '.join(sorted(entry))}; confusions {kind} takes exactly:"
            f" {', '.join(sorted(needed))}, and optionally {', '.join(sorted(optional))}"
        )
    heldout = {"heldout": DISAGREEMENT} if kind == DISAGREEMENT else {}
    complete = Pairing.defaults() | heldout | entry
    check_kinds(where, complete)
    return complete


def check_kinds(where: str, pairing: Mapping[str, Any]) -> None:
    """Refuse unknown kinds of errors, shares that do not add up to 1, and one_of_each without 3 negatives and 1 edit.

    Args:
        where: Place of the recipe, for messages.
        pairing: A recipe with the keys kinds, negatives and edits.

    Raises:
        ConfigError: The message says what is accepted.
    """
    kinds = pairing["kinds"]
    if kinds == ONE_OF_EACH and (pairing["negatives"], pairing["edits"]) != (3, 1):
        raise ConfigError(
            f"{where}: kinds {ONE_OF_EACH} takes negatives: 3 and edits: 1, got {pairing['negatives']} and"
            f" {pairing['edits']}"
        )
    if kinds is None or kinds == ONE_OF_EACH:
        return
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ConfigError(
            f"{where}: kinds has {', '.join(unknown) or 'nothing'}; accepted: {ONE_OF_EACH}, or some of"
            f" {', '.join(KINDS)}"
        )
    if isinstance(kinds, Mapping) and (min(kinds.values()) <= 0 or abs(sum(kinds.values()) - 1) > 1e-6):
        raise ConfigError(
            f"{where}: kinds has the shares {', '.join(map(str, kinds.values()))}; accepted: shares above 0 that add up"
            " to 1"
        )


def check_disagreement(config: Mapping[str, Any]) -> None:
    """Refuse a pairing with confusions: disagreement if a dataset has no second annotations of train or dev.

    Raises:
        ConfigError: The message names the pairing and the dataset.
    """
    used = [name for name, entry in config["pairings"].items() if entry["confusions"] == DISAGREEMENT]
    single = [
        name
        for name, entry in config["datasets"].items()
        if not {"train", "dev"} & set(entry.get("second_annotator", ()))
    ]
    if used and single:
        raise ConfigError(
            f"pairings.{used[0]} draws from disagreement, and datasets.{single[0]} has no second_annotator of train or"
            " dev; accepted: double annotations for every dataset of the study, or other confusions"
        )


def check_choice(where: str, heldouts: Mapping[str, str | None], accepted: str) -> None:
    """Refuse a choice of weights or settings on `dev_select` if the confusions of a pairing were counted on it.

    Args:
        where: What is chosen, for the message.
        heldouts: `heldout` of each pairing that the choice affects, by name. The choice of an SFT model affects all
            pairings, because all confusions come from its answers.
        accepted: What is accepted instead, besides another `heldout`.

    Raises:
        ConfigError: The message names the pairing.
    """
    fed = [name for name, heldout in heldouts.items() if "dev_select" in PARTS[heldout]]
    if fed:
        raise ConfigError(
            f"{where} chooses on dev_select, but pairings.{fed[0]} takes confusions from all of dev"
            f" (heldout {heldouts[fed[0]]}); accepted: {accepted}, or another heldout"
        )
