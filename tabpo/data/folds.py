"""Folds of the training records, so that each is answered by a model that was not trained on it."""

from collections.abc import Sequence

from tabpo.artefacts import sha256_text
from tabpo.errors import DataError
from tabpo.records import Document, Prompt


def fold_prompts(
    prompts: Sequence[Prompt], documents: Sequence[Document], folds: int
) -> list[tuple[list[Prompt], list[Prompt]]]:
    """Prompts outside and inside of each fold, both in their order.

    Groups (documents where no group is known) go in the order of their names' SHA-256, each to the first of the folds
    with the fewest prompts so far: neither the order of documents nor that of prompts matters.

    Raises:
        DataError: There are fewer groups than folds.
    """
    group_of = {document.doc_id: document.group_id or document.doc_id for document in documents}
    sizes = dict.fromkeys(group_of.values(), 0)
    for prompt in prompts:
        sizes[group_of[prompt.doc_id]] += 1
    if len(sizes) < folds:
        raise DataError(f"train has {len(sizes)} groups of documents; {folds} folds need at least as many")
    fold_of, totals = {}, [0] * folds
    for name in sorted(sizes, key=lambda name: (sha256_text(name), name)):
        fold_of[name] = totals.index(min(totals))
        totals[fold_of[name]] += max(1, sizes[name])
    return [
        (
            [prompt for prompt in prompts if fold_of[group_of[prompt.doc_id]] != fold],
            [prompt for prompt in prompts if fold_of[group_of[prompt.doc_id]] == fold],
        )
        for fold in range(folds)
    ]
