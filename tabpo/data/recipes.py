"""The recipes of pairs that a study may have: which keys each kind takes, and what the data must have for it."""

from collections.abc import Mapping
from typing import Any

from tabpo.data.isolation import DISAGREEMENT
from tabpo.errors import ConfigError
from tabpo.names import GIVEN, ON_POLICY


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
    if set(entry) - {"flip_rate"} != needed:
        raise ConfigError(
            f"{where} has {', '.join(sorted(entry))}; confusions {kind} takes exactly:"
            f" {', '.join(sorted(needed))}, and flip_rate where wanted"
        )
    unused = {"negatives": 1, "edits": None, "smoothing": None, "expert_share": None}
    unused["heldout"] = DISAGREEMENT if kind == DISAGREEMENT else None
    return unused | {"flip_rate": 0.0} | entry


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
