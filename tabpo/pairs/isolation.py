"""The proof that nothing a choice or a score is made on has reached confusions or pairs."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from tabpo.errors import DataError
from tabpo.records import Pair, Prompt
from tabpo.study.heldout import PARTS


def prove_isolation(
    heldout: str | None, confusion_ids: Sequence[str], pairs: Sequence[Pair], prompts: Mapping[str, Sequence[Prompt]]
) -> dict[str, object]:
    """Counts of what was compared, once everything holds.

    The splits share no prompt and no document; confusions come from the parts that the pairing names, pairs from
    `train` alone. Choices (epochs, checkpoints, settings) may be made on what fed neither: `dev_select`, unless all of
    dev gave confusions, when they may be made on nothing.

    Args:
        heldout: Of the pairing, a key of `PARTS`.
        confusion_ids: Prompts whose predictions were counted.
        pairs: All preference pairs.
        prompts: By split: train, dev_confusion, dev_select, test.

    Raises:
        DataError: The rule that is broken, and how many ids break it.
    """
    prompt_ids = {split: {prompt.prompt_id for prompt in members} for split, members in prompts.items()}
    doc_ids = {split: {prompt.doc_id for prompt in members} for split, members in prompts.items()}
    for one, other in combinations(prompts, 2):
        for kind, ids in (("prompt", prompt_ids), ("document", doc_ids)):
            shared = ids[one] & ids[other]
            if shared:
                raise DataError(f"splits share no {kind}: {one} and {other} have {len(shared)} in common")
    paired = {pair.prompt_id for pair in pairs}
    _only_from(PARTS[heldout], "confusions", confusion_ids, prompt_ids)
    _only_from(("train",), "pairs", paired, prompt_ids)
    return {
        "splits": {split: {"prompts": len(prompt_ids[split]), "documents": len(doc_ids[split])} for split in prompts},
        "confusions": {"prompts": len(set(confusion_ids)), "of": heldout},
        "choices": {"of": None if "dev_select" in PARTS[heldout] else "dev_select"},
        "pairs": {"pairs": len(pairs), "prompts": len(paired), "of": "train"},
    }


def _only_from(
    splits: Sequence[str], what: str, ids: Collection[str], prompt_ids: Mapping[str, Collection[str]]
) -> None:
    outside = sorted(set(ids).difference(*(prompt_ids[split] for split in splits)))
    if outside:
        found = next((other for other, members in prompt_ids.items() if outside[0] in members), "no split")
        named = " and ".join(splits) or "nothing"
        raise DataError(f"{what} come from {named} alone: {len(outside)} of other prompts, the first in {found}")
