"""All scores of one file of predictions: the content of `scores/{split}.json`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tabpo.data.answers import ANSWER_CLASSES
from tabpo.data.grounding import ITEM_CLASSES, read_answer
from tabpo.data.ontology import Ontology
from tabpo.data.units import Unit
from tabpo.metrics import medical, spans
from tabpo.metrics.counts import Counts, total
from tabpo.records import Prediction

HEADLINE = "set_directed"
"""The convention a metric means where none is named: set counting, relations directed."""


def unit_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    """Counts of one unit by (metric, convention), the same keys for every unit of a dataset.

    `set_canonical` exists for relations alone; every metric has the headline convention.
    """
    if ontology.answer == "results":
        metrics = (medical.code, medical.sub_code, medical.span, medical.triple)
        return {(metric.__name__, HEADLINE): metric(unit, prediction) for metric in metrics}
    symmetric = frozenset(label for label, relation in ontology.relations.items() if relation.symmetric)
    counts = {
        (metric.__name__, HEADLINE): metric(unit, prediction) for metric in (spans.ner_strict, spans.ner_boundary)
    }
    for metric in (spans.rel, spans.rel_plus):
        counts[metric.__name__, HEADLINE] = metric(unit, prediction, spans.DIRECTED)
        counts[metric.__name__, "set_canonical"] = metric(unit, prediction, symmetric)
    return counts


def micro_scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """metric -> convention -> precision, recall, f1 (0 to 1), tp, predicted, gold, over all units."""
    by_unit = [unit_counts(unit, item, ontology) for unit, item in zip(units, predictions, strict=True)]
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for metric, convention in by_unit[0]:
        counts = total(unit[metric, convention] for unit in by_unit)
        scores.setdefault(metric, {})[convention] = {
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "tp": counts.tp,
            "predicted": counts.predicted,
            "gold": counts.gold,
        }
    return scores


def strict_f1(units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology) -> float:
    """The one number that choices are made by: F1 of ner_strict, or of triple."""
    metric = "triple" if ontology.answer == "results" else "ner_strict"
    return micro_scores(units, predictions, ontology)[metric][HEADLINE]["f1"]


def score(
    split: str,
    units: Sequence[Unit],
    predictions: Sequence[Prediction],
    answers: Sequence[str],
    ontology: Ontology,
    mean_tokens: float | None,
) -> dict[str, Any]:
    """What `scores/{split}.json` holds.

    Args:
        split: Name of the split of prompts.
        units: Of every prompt, at least one.
        predictions: Of the same units in the same order.
        answers: Their gold answers as prompts give them; read like a model's they score the `ceiling`, which is below
            1 where a text occurs more often in its unit than it is annotated.
        ontology: Of the dataset.
        mean_tokens: Mean generated tokens; None where no model generated anything.
    """
    gold = [read_answer(answer, unit, ontology) for answer, unit in zip(answers, units, strict=True)]
    answer_classes = Counter(item.answer_class for item in predictions)
    item_classes = Counter(item.item_class for prediction in predictions for item in _items(prediction))
    return {
        "split": split,
        "prompts": len(units),
        "answers": {name: answer_classes[name] for name in ANSWER_CLASSES},
        "items": {name: item_classes[name] for name in ITEM_CLASSES},
        "metrics": micro_scores(units, predictions, ontology),
        "valid": answer_classes["ok"] / len(predictions),
        "mean_tokens": mean_tokens,
        "ceiling": micro_scores(units, gold, ontology),
    }


def _items(prediction: Prediction) -> tuple:
    return *prediction.spans, *prediction.relations
