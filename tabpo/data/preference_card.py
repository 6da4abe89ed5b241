"""The card of a dataset of preferences: what is in each split, and what prompts of two splits have in common."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tabpo.data.card import groups_known, in_common
from tabpo.data.readers.preferences import Preference, as_documents
from tabpo.data.validation import NAMES, names
from tabpo.records import Document


def preference_card(rows: Mapping[str, Sequence[Preference]]) -> dict[str, Any]:
    """Counts and lengths of each split, and a leak check of each pair of splits; the same rows give the same card.

    Args:
        rows: By split.

    Returns:
        `group_id` in words, `splits` by name, `variants`, of which there are none, and `leaks` as `in_common` gives
        them. Of `preferences`, `chosen_longer` are those whose chosen answer has more characters than the rejected one:
        a model may learn no more than that.
    """
    documents = {split: as_documents(items) for split, items in rows.items()}
    splits = {split: _describe(items, documents[split]) for split, items in rows.items()}
    return {"group_id": groups_known(documents), "splits": splits, "variants": {}, "leaks": in_common(documents)}


def _describe(rows: Sequence[Preference], documents: Sequence[Document]) -> dict[str, Any]:
    return {
        "preferences": len(rows),
        "preferences_with_group": sum(row.group_id is not None for row in rows),
        "groups": len(names(documents, NAMES["group"])),
        "different_prompts": len({document.text for document in documents}),
        "chosen_longer": sum(len(row.chosen) > len(row.rejected) for row in rows),
        "messages_per_prompt": _lengths([len(row.messages) for row in rows]),
        "characters_per_prompt": _lengths([len(document.text) for document in documents]),
        "characters_per_chosen": _lengths([len(row.chosen) for row in rows]),
        "characters_per_rejected": _lengths([len(row.rejected) for row in rows]),
    }


def _lengths(values: Sequence[int]) -> dict[str, float]:
    return {"mean": round(fmean(values), 2), "max": max(values)}
