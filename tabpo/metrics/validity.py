"""Rates of faulty and empty answers, and how much answers repeat themselves."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tabpo.answers.clusters import CLUSTER_CLASSES, cluster_classes
from tabpo.answers.grounding import ITEM_CLASSES
from tabpo.answers.render import ANSWER_CLASSES
from tabpo.answers.units import Unit
from tabpo.metrics.names import VALIDITY
from tabpo.records import Prediction

_WORD = re.compile(r"\w+|[^\w\s]")
_RUN = 4
"""Length, in words and punctuation marks, of the sequences that `repetition` compares."""


UNKNOWN_LABELS = ("unknown_label", "invalid_pair")
"""Classes of items whose labels are not in the ontology."""


def validity_counts(unit: Unit, prediction: Prediction) -> dict[str, tuple[int, int]]:
    """Count one unit by the names in `VALIDITY`: the numerator and the denominator of each share.

    They are readable answers, items with labels of the ontology, readable answers without a span, answers that end
    where the JSON could go on, and written items; divided by answers, written items, answers, answers and gold items.
    """
    classes = [item.item_class for item in (*prediction.spans, *prediction.relations)]
    return {
        "valid": (int(prediction.answer_class == "ok"), 1),
        "label_valid": (sum(name not in UNKNOWN_LABELS for name in classes), len(classes)),
        "empty": (int(prediction.answer_class == "ok" and not prediction.spans), 1),
        "cut_off": (int(prediction.answer_class == "truncated"), 1),
        "items_written": (len(classes), len(unit.spans) + len(unit.relations)),
    }


def validity(units: Iterable[Unit], predictions: Iterable[Prediction]) -> dict[str, float]:
    """Return the shares of `validity_counts` over all units, 0 to 1, `items_written` from 0 upwards; x/0 is 0."""
    counts = [validity_counts(unit, prediction) for unit, prediction in zip(units, predictions, strict=True)]
    sums = {name: [sum(part) for part in zip(*(row[name] for row in counts), strict=True)] for name in VALIDITY}
    return {name: part / whole if whole else 0.0 for name, (part, whole) in sums.items()}


def class_counts(predictions: Sequence[Prediction]) -> dict[str, dict[str, int]]:
    """Count answers, items (spans and relations) and clusters by class, zeros included."""
    items = [item for prediction in predictions for item in (*prediction.spans, *prediction.relations)]
    clusters = [name for prediction in predictions for name in cluster_classes(prediction)]
    return {
        "answers": _counted((prediction.answer_class for prediction in predictions), ANSWER_CLASSES),
        "items": _counted((item.item_class for item in items), ITEM_CLASSES),
        "clusters": _counted(clusters, CLUSTER_CLASSES),
    }


def rates(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """Return the counts of `class_counts` as shares of all answers, all items and all clusters, 0 to 1; 0/0 is 0."""
    return {
        level: {name: number / (sum(by_class.values()) or 1) for name, number in by_class.items()}
        for level, by_class in counts.items()
    }


def empty_share(predictions: Sequence[Prediction]) -> float:
    """Return the share of all answers that can be read and have no span."""
    return sum(prediction.answer_class == "ok" and not prediction.spans for prediction in predictions) / len(
        predictions
    )


def repetition(texts: Sequence[str]) -> float:
    """Return the share of sequences of four words or marks that repeat an earlier one of their text; 0 to 1.

    JSON repeats its keys and punctuation, so compare with the share of gold answers; a much higher share means that the
    model loops.
    """
    runs = [_runs(text) for text in texts]
    all_runs = sum(counts.total() for counts in runs)
    return 1 - sum(map(len, runs)) / all_runs if all_runs else 0.0


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(zip(*(words[first:] for first in range(_RUN)), strict=False))


def _counted(classes: Iterable[str], names: Sequence[str]) -> dict[str, int]:
    counts = Counter(classes)
    return {name: counts[name] for name in names}
