"""Demonstrations for a prompt: the training texts most similar to its text, never from its own group."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from tabpo.errors import DataError

CHUNK = 512
"""How many texts are compared with the whole pool at a time, which bounds the memory of the similarity matrix."""

DIGITS = 9
"""Similarities are rounded to this many decimals, because the order of a floating-point sum changes its last bits."""


def most_similar(
    texts: Sequence[str],
    groups: Sequence[str],
    pool_texts: Sequence[str],
    pool_groups: Sequence[str],
    pool_names: Sequence[str],
    number: int,
) -> list[tuple[int, ...]]:
    """Find for each text the positions of the `number` most similar pool texts; the most similar one comes last.

    Similarity is the cosine of TF-IDF vectors of lower-cased words, with the pool's document frequencies. Equally
    similar texts are ranked by their names, so the order of the pool does not matter.

    Args:
        texts: The texts that need examples.
        groups: The group of each text; no example comes from the text's own group.
        pool_texts: The texts of train, from which examples are taken.
        pool_groups: The group of each pool text.
        pool_names: The name of each pool text; all names differ.
        number: How many examples each text gets, at least 1.

    Raises:
        DataError: The pool has fewer than `number` texts of other groups for some text.
    """
    names = np.asarray(pool_names)
    order = np.argsort(names, kind="stable")
    pool_group = np.asarray(pool_groups)[order]
    vectorizer = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]")
    pool = vectorizer.fit_transform([pool_texts[position] for position in order])
    examples = []
    for start in range(0, len(texts), CHUNK):
        similarity = (vectorizer.transform(texts[start : start + CHUNK]) @ pool.T).toarray().round(DIGITS)
        for row, group in zip(similarity, groups[start : start + CHUNK], strict=True):
            row[pool_group == group] = -1.0
            best = np.argsort(-row, kind="stable")[:number]
            if len(best) < number or row[best[-1]] < 0:
                others = int((pool_group != group).sum())
                raise DataError(f"train has {others} texts of other groups for a prompt; demonstrations: {number}")
            examples.append(tuple(int(order[position]) for position in reversed(best)))
    return examples
