"""What is wrong with answers, how many say nothing, and how much they repeat themselves."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tabpo.answers.clusters import CLUSTER_CLASSES, cluster_classes
from tabpo.answers.grounding import ITEM_CLASSES
from tabpo.answers.render import ANSWER_CLASSES
from tabpo.records import Prediction

_WORD = re.compile(r"\w+|[^\w\s]")
_RUN = 4
"""Words and marks of the runs that `repetition` compares."""


def class_counts(predictions: Sequence[Prediction]) -> dict[str, dict[str, int]]:
    """Answers, items (spans and relations) and clusters by class, zeros included."""
    items = [item for one in predictions for item in (*one.spans, *one.relations)]
    clusters = [name for one in predictions for name in cluster_classes(one)]
    return {
        "answers": _counted((one.answer_class for one in predictions), ANSWER_CLASSES),
        "items": _counted((item.item_class for item in items), ITEM_CLASSES),
        "clusters": _counted(clusters, CLUSTER_CLASSES),
    }


def rates(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """The same as shares of all answers, all items and all clusters, 0 to 1; 0/0 is 0."""
    return {
        level: {name: number / (sum(by_class.values()) or 1) for name, number in by_class.items()}
        for level, by_class in counts.items()
    }


def empty_share(predictions: Sequence[Prediction]) -> float:
    """Share of all answers that can be read and state no span."""
    return sum(one.answer_class == "ok" and not one.spans for one in predictions) / len(predictions)


def repetition(texts: Sequence[str]) -> float:
    """Share of all runs of four words or marks that an earlier run of the same text equals; 0 to 1.

    JSON repeats its scaffolding: the share of gold answers is what an orderly model has, more is a loop.
    """
    runs = [_runs(text) for text in texts]
    all_runs = sum(one.total() for one in runs)
    return 1 - sum(map(len, runs)) / all_runs if all_runs else 0.0


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(zip(*(words[first:] for first in range(_RUN)), strict=False))


def _counted(found: Iterable[str], names: Sequence[str]) -> dict[str, int]:
    counts = Counter(found)
    return {name: counts[name] for name in names}
