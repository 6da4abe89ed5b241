"""The proof that nothing a choice or a score is made on has reached confusions or pairs."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from tabpo.errors import DataError
from tabpo.records import Pair, Prompt


def prove_isolation(
    confusion_ids: Sequence[str], pairs: Sequence[Pair], prompts: Mapping[str, Sequence[Prompt]]
) -> dict[str, object]:
    """Counts of what was compared, once everything holds.

    The splits share no prompt and no document; confusions come from `dev_confusion` alone, pairs from `train` alone.

    Args:
        confusion_ids: Prompts whose predictions were counted.
        pairs: All preference pairs.
        prompts: By split: train, dev_confusion, dev_select, test.

    Raises:
        DataError: The rule that is broken and the first id that breaks it.
    """
    prompt_ids = {split: {prompt.prompt_id for prompt in members} for split, members in prompts.items()}
    doc_ids = {split: {prompt.doc_id for prompt in members} for split, members in prompts.items()}
    for one, other in combinations(prompts, 2):
        for kind, ids in (("prompt", prompt_ids), ("document", doc_ids)):
            shared = sorted(ids[one] & ids[other])
            if shared:
                raise DataError(f"splits share no {kind}: {shared[0]} is in {one} and {other} ({len(shared)} such)")
    paired = {pair.prompt_id for pair in pairs}
    _only_from("dev_confusion", "confusions", confusion_ids, prompt_ids)
    _only_from("train", "pairs", paired, prompt_ids)
    return {
        "splits": {split: {"prompts": len(prompt_ids[split]), "documents": len(doc_ids[split])} for split in prompts},
        "confusions": {"prompts": len(set(confusion_ids)), "of": "dev_confusion"},
        "pairs": {"pairs": len(pairs), "prompts": len(paired), "of": "train"},
    }


def _only_from(split: str, what: str, ids: Collection[str], prompt_ids: Mapping[str, Collection[str]]) -> None:
    outside = sorted(set(ids) - set(prompt_ids[split]))
    if outside:
        found = next((other for other, members in prompt_ids.items() if outside[0] in members), "no split")
        raise DataError(f"{what} come from {split} alone: {outside[0]} is of {found} ({len(outside)} such)")
