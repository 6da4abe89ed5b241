"""Examples for a prompt: the training texts that are most like its own, never of its own group."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from tabpo.errors import DataError

CHUNK = 512
"""Texts that are compared with all others at a time."""

DIGITS = 9
"""Similarities that agree in these decimals are equal: sums in another order differ in the last bits."""


def most_similar(
    texts: Sequence[str],
    groups: Sequence[str],
    pool_texts: Sequence[str],
    pool_groups: Sequence[str],
    pool_names: Sequence[str],
    number: int,
) -> list[tuple[int, ...]]:
    """Positions in the pool of the `number` texts most like each text, the most like last.

    Similarity is the cosine of TF-IDF vectors of lower-cased words, with the pool's document frequencies. Of equally
    similar texts the one whose name comes first is taken first, so that the order of the pool does not matter.

    Args:
        texts: To find examples for.
        groups: Of each text; no example is of the text's own group.
        pool_texts: Texts of train; so are the next two.
        pool_groups: Of each.
        pool_names: Of each, all different.
        number: Examples of each text, at least one.

    Raises:
        DataError: A text has fewer texts of other groups.
    """
    names = np.asarray(pool_names)
    order = np.argsort(names, kind="stable")
    pool_group = np.asarray(pool_groups)[order]
    vectorizer = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]")
    pool = vectorizer.fit_transform([pool_texts[position] for position in order])
    found = []
    for start in range(0, len(texts), CHUNK):
        similarity = (vectorizer.transform(texts[start : start + CHUNK]) @ pool.T).toarray().round(DIGITS)
        for row, group in zip(similarity, groups[start : start + CHUNK], strict=True):
            row[pool_group == group] = -1.0
            best = np.argsort(-row, kind="stable")[:number]
            if len(best) < number or row[best[-1]] < 0:
                others = int((pool_group != group).sum())
                raise DataError(f"train has {others} texts of other groups for a prompt; demonstrations: {number}")
            found.append(tuple(int(order[position]) for position in reversed(best)))
    return found
