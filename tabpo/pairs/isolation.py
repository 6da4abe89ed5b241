"""Prove that no record used for choices or scores was used for confusions or pairs."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from tabpo.errors import DataError
from tabpo.records import Pair, Prompt
from tabpo.study.pairings import PARTS


def prove_isolation(
    heldout: str | None, confusion_ids: Sequence[str], pairs: Sequence[Pair], prompts: Mapping[str, Sequence[Prompt]]
) -> dict[str, object]:
    """Check that splits stay apart, and return the counts of what was compared.

    The splits must share no prompt and no document. Confusions must come from the splits that the pairing names, and
    pairs from `train` alone. Choices (epochs, checkpoints, settings) may be made on `dev_select` if it was not used for
    confusions, and on nothing otherwise.

    Args:
        heldout: The pairing's value of `heldout`, a key of `PARTS`.
        confusion_ids: Ids of the prompts whose predictions were counted as confusions.
        pairs: All preference pairs.
        prompts: The prompts of each split: train, dev_confusion, dev_select, test.

    Raises:
        DataError: Names the rule that is broken and the number of ids that break it.
    """
    prompt_ids = {split: {prompt.prompt_id for prompt in members} for split, members in prompts.items()}
    doc_ids = {split: {prompt.doc_id for prompt in members} for split, members in prompts.items()}
    for first, second in combinations(prompts, 2):
        for kind, ids in (("prompt", prompt_ids), ("document", doc_ids)):
            shared = ids[first] & ids[second]
            if shared:
                raise DataError(f"splits must share no {kind}: {first} and {second} have {len(shared)} in common")
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
        other_split = next((other for other, members in prompt_ids.items() if outside[0] in members), "no split")
        named = " and ".join(splits) or "nothing"
        raise DataError(
            f"{what} must come from {named} only: {len(outside)} prompts do not, the first is in {other_split}"
        )
