"""Splits by group: the documents of a group stay together, and the order of the documents does not matter."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from tabpo.artefacts import sha256_text
from tabpo.errors import DataError
from tabpo.records import Document, Prompt


def group(document: Document) -> str:
    """Return the name of the group that must stay in one split: `group_id`, or `doc_id` if no group is known."""
    return document.doc_id if document.group_id is None else document.group_id


def carve_dev(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Take dev from train for a dataset without a dev split: whole groups, in the order of their names' SHA-256.

    Args:
        documents: The documents of train.
        share: Share of the groups that become dev; their number is rounded, and is at least 1.

    Returns:
        `train` and `dev`, each in the order of the documents.

    Raises:
        DataError: All groups would go to dev.
    """
    groups = sorted({group(document) for document in documents}, key=_digest)
    taken = set(groups[: max(1, round(share * len(groups)))])
    if len(taken) == len(groups):
        raise DataError(
            f"train has {len(groups)} group (by group_id; a document without one is a group) and dev would take all;"
            " accepted: more groups, or a smaller dev_share"
        )
    return (
        [document for document in documents if group(document) not in taken],
        [document for document in documents if group(document) in taken],
    )


def halve_dev(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    """Split dev into one half for counting confusions and one half for every choice; groups stay whole.

    Groups (or documents, if no group is known) are taken in the order of their names' SHA-256. Each goes to the half
    that has fewer documents so far. The order of the documents does not change the halves, and each half keeps it.

    Returns:
        `dev_confusion` and `dev_select`.

    Raises:
        DataError: There are fewer than two groups, so that one half would be empty.
    """
    sizes: dict[str, int] = defaultdict(int)
    for document in documents:
        sizes[group(document)] += 1
    if len(sizes) < 2:
        raise DataError(
            f"dev has {len(sizes)} group (by group_id; a document without one is a group) and cannot be halved;"
            " accepted: two or more"
        )
    confusion, confusion_size, select_size = set(), 0, 0
    for name in sorted(sizes, key=_digest):
        if confusion_size <= select_size:
            confusion.add(name)
            confusion_size += sizes[name]
        else:
            select_size += sizes[name]
    return (
        [document for document in documents if group(document) in confusion],
        [document for document in documents if group(document) not in confusion],
    )


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def fold_prompts(
    prompts: Sequence[Prompt], documents: Sequence[Document], folds: int
) -> list[tuple[list[Prompt], list[Prompt]]]:
    """Return for each fold the prompts outside and inside of it, both in the order of `prompts`.

    Groups (or documents, if no group is known) are taken in the order of their names' SHA-256. Each goes to the first
    of the folds that have the fewest prompts so far. The order of documents and prompts does not change the folds.

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
