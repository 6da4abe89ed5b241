"""The card of a dataset of preferences: counts of each split, and what the prompts of two splits have in common."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tabpo.data.card import groups_known, in_common
from tabpo.data.readers.preferences import as_documents
from tabpo.data.validation import NAMES, names
from tabpo.records import Document, Preference


def preference_card(
    rows: Mapping[str, Sequence[Preference]], noticed: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Count and measure each split, and check each pair of splits for leaks. Equal rows give equal cards.

    Args:
        rows: The preferences of each split.
        noticed: For each file that was read, how often its reader passed something over.

    Returns:
        A dict with the keys of `build_card`; `variants` is empty. In a split, `chosen_longer` counts the preferences
        whose chosen answer has more characters than the rejected one: if it is high, a model may learn to prefer long
        answers and nothing else. `repeated` counts the preferences that an earlier one equals in prompt and answers,
        `contradictory` those whose answers another one has the other way round.
    """
    documents = {split: as_documents(items) for split, items in rows.items()}
    splits = {split: _describe(items, documents[split]) for split, items in rows.items()}
    counted = {split: dict(counts) for split, counts in noticed.items() if counts}
    return {
        "group_id": groups_known(documents),
        "splits": splits,
        "variants": {},
        **({"noticed": counted} if counted else {}),
        "leaks": in_common(documents),
    }


def _describe(rows: Sequence[Preference], documents: Sequence[Document]) -> dict[str, Any]:
    different = {(row.messages, row.chosen, row.rejected) for row in rows}
    return {
        "preferences": len(rows),
        "preferences_with_group": sum(row.group_id is not None for row in rows),
        "groups": len(names(documents, NAMES["group"])),
        "different_prompts": len({document.text for document in documents}),
        "repeated": len(rows) - len(different),
        "contradictory": sum((row.messages, row.rejected, row.chosen) in different for row in rows),
        "chosen_longer": sum(len(row.chosen) > len(row.rejected) for row in rows),
        "messages_per_prompt": _lengths([len(row.messages) for row in rows]),
        "characters_per_prompt": _lengths([len(document.text) for document in documents]),
        "characters_per_chosen": _lengths([len(row.chosen) for row in rows]),
        "characters_per_rejected": _lengths([len(row.rejected) for row in rows]),
    }


def _lengths(values: Sequence[int]) -> dict[str, float]:
    return {"mean": round(fmean(values), 2), "max": max(values)}
