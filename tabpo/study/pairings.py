"""The recipes of pairs that a study may have: which keys each kind takes, and what the data must have for it."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.names import GIVEN, KINDS, ON_POLICY, ONE_OF_EACH
from tabpo.study.heldout import DISAGREEMENT
from tabpo.study.shape import Section


class Pairing(Section):
    """A recipe of preference pairs."""

    confusions: Literal["expert", "empirical", "mixed", DISAGREEMENT, "uniform", ON_POLICY, GIVEN] = Field(
        description=(
            "Where rejected answers come from. Edits of gold answers, drawn from expert patterns (expert), from the"
            " counts of the SFT model's confusions (empirical), from both (mixed), from what a second annotator says"
            " otherwise on train and half of dev (disagreement), or from every valid edit alike (uniform); or the SFT"
            " model's own wrong answers to the training prompts (on_policy); or the data, which are preferences"
            " (given). on_policy and given take flip_rate alone."
        )
    )
    heldout: Literal["dev_confusion", "dev", "crossfit"] = Field(
        None,
        description=(
            "Records on which the SFT model's confusions are counted: half of dev, all of dev (nothing may then be"
            " chosen on it), or train, by five models that each saw the other folds. Needed, but for disagreement."
        ),
    )
    negatives: int = Field(1, ge=1, le=16, description="Rejected answers to a prompt. Needed where answers are edited.")
    edits: int = Field(
        None, ge=1, le=3, description="Largest number of edits of a rejected answer. Needed where answers are edited."
    )
    smoothing: float = Field(
        None, ge=0, description="Added to the count of every valid confusion. Needed where answers are edited."
    )
    expert_share: float = Field(
        None, ge=0, le=1, description="Share of the edits that expert patterns propose. For mixed, which needs it."
    )
    kinds: list[str] | dict[str, float] | Literal[ONE_OF_EACH] | None = Field(
        None,
        description=(
            f"Kinds of error that edits make, of {', '.join(KINDS)}: a list, mixed as the confusions have them; a"
            f" mapping with the share of each; or {ONE_OF_EACH}, three pairs of an example, with another label, a"
            " record less and a record more. All kinds if absent. Where answers are edited."
        ),
    )
    max_token_edits: int | None = Field(
        None,
        ge=1,
        description="Largest token edit distance of a pair; none if absent. Where answers are edited.",
    )
    flip_rate: float = Field(
        0.0, ge=0, le=0.5, description="Share of pairs whose two answers change places, as label noise."
    )


def complete_pairing(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with every key; what its kind of pairs does not have is None, or says that nothing is done.

    Args:
        where: `pairings.{name}`.
        entry: As configured, of the schema's shape.

    Raises:
        ConfigError: It lacks a key that its kind takes, or has another.
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
            f" {', '.join(sorted(needed))}, and {', '.join(sorted(optional))} where wanted"
        )
    heldout = {"heldout": DISAGREEMENT} if kind == DISAGREEMENT else {}
    complete = Pairing.defaults() | heldout | entry
    check_kinds(where, complete)
    return complete


def check_kinds(where: str, pairing: Mapping[str, Any]) -> None:
    """Refuse kinds of edits that do not exist, shares that are none, and one_of_each with other than three negatives.

    Args:
        where: For messages.
        pairing: kinds, negatives and edits of it.

    Raises:
        ConfigError: What is accepted.
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
            f"{where}: kinds has the shares {', '.join(map(str, kinds.values()))}; accepted: shares above 0 that are 1"
            " together"
        )


def check_disagreement(config: Mapping[str, Any]) -> None:
    """Refuse pairings of what two annotators differ in where a dataset has no second one of train or dev.

    Raises:
        ConfigError: The pairing and the dataset.
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
