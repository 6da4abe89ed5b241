"""All scores of one file of predictions: the content of `scores/{split}.json`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tabpo.data.answers import ANSWER_CLASSES
from tabpo.data.clusters import CLUSTER_CLASSES, cluster_classes
from tabpo.data.grounding import ITEM_CLASSES, read_answer
from tabpo.data.ontology import Ontology
from tabpo.data.units import Unit
from tabpo.metrics import medical, pv_style, relaxed, spans
from tabpo.metrics.coreference import coreference_scores
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.labels import label_counts, macro_f1
from tabpo.metrics.parity import SCORERS
from tabpo.records import Prediction

HEADLINE = "set_directed"
"""The convention a metric means where none is named: set counting, relations directed."""

CANONICAL, PV_STYLE, MACRO = "set_canonical", "pv_style", "macro_label"
"""Relations of symmetric labels in the order of the text; the released scorer's way; the mean over labels."""


def unit_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    """Counts of one unit by (metric, convention), the same keys for every unit of a dataset.

    Every metric has the headline convention. The metrics of the three families, `semantic_label`, `relational_linking`
    and `textual_grounding`, are those that stand under `HEADLINE` by their own names (exact places and labels: strict),
    and label sets, links and spans of `pv_style`. Medical answers have no links.
    """
    if ontology.answer == "results":
        return _medical_counts(unit, prediction, ontology)
    return _entity_counts(unit, prediction, ontology)


def _medical_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    metrics = (medical.code, medical.sub_code, medical.pair, medical.span, relaxed.span_relaxed, medical.triple)
    counts = {(metric.__name__, HEADLINE): metric(unit, prediction) for metric in metrics}
    counts["code", PV_STYLE] = pv_style.code(unit, prediction, ontology)
    counts["sub_code", PV_STYLE] = pv_style.sub_code(unit, prediction, ontology)
    counts["span", PV_STYLE] = pv_style.span(unit, prediction)
    counts["semantic_label", HEADLINE] = counts["triple", HEADLINE]
    counts["semantic_label", PV_STYLE] = counts["code", PV_STYLE] + counts["sub_code", PV_STYLE]
    counts["textual_grounding", HEADLINE] = counts["span", HEADLINE]
    counts["textual_grounding", PV_STYLE] = counts["span", PV_STYLE]
    return counts


def _entity_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    symmetric = frozenset(label for label, relation in ontology.relations.items() if relation.symmetric)
    metrics = (spans.ner_strict, spans.ner_boundary, relaxed.ner_relaxed, relaxed.ner_boundary_relaxed)
    counts = {(metric.__name__, HEADLINE): metric(unit, prediction) for metric in metrics}
    for metric in (spans.rel, spans.rel_plus):
        counts[metric.__name__, HEADLINE] = metric(unit, prediction, spans.DIRECTED)
        counts[metric.__name__, CANONICAL] = metric(unit, prediction, symmetric)
    for scorer in SCORERS:
        for metric, found in scorer(unit, prediction, symmetric).items():
            counts[metric, scorer.__name__] = found
    counts["semantic_label", HEADLINE] = counts["ner_strict", HEADLINE]
    counts["semantic_label", PV_STYLE] = pv_style.code(unit, prediction, ontology)
    counts["relational_linking", HEADLINE] = counts["rel", HEADLINE]
    counts["relational_linking", PV_STYLE] = pv_style.link(unit, prediction, ontology)
    counts["textual_grounding", HEADLINE] = counts["ner_boundary", HEADLINE]
    counts["textual_grounding", PV_STYLE] = pv_style.span(unit, prediction)
    return counts


def all_scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """metric -> convention -> precision, recall, f1 (0 to 1), tp, predicted, gold, over all units.

    `macro_label`, which has `f1` alone, averages over labels; all else is micro. Documents have coreference too: `muc`,
    `b_cubed` and `ceaf_e` without counts, and `conll` with `f1` alone.
    """
    scores = micro_scores(units, predictions, ontology)
    for metric, by_label in label_counts(units, predictions, ontology).items():
        scores[metric][MACRO] = {"f1": macro_f1(by_label)}
    if ontology.answer == "entities" and units[0].clusters is not None:
        scores |= {metric: {HEADLINE: found} for metric, found in coreference_scores(units, predictions).items()}
    return scores


def micro_scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """`all_scores` without what is no sum of counts."""
    by_unit = [unit_counts(unit, item, ontology) for unit, item in zip(units, predictions, strict=True)]
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for metric, convention in by_unit[0]:
        scores.setdefault(metric, {})[convention] = _shown(total(unit[metric, convention] for unit in by_unit))
    return scores


def _shown(counts: Counts) -> dict[str, float]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "tp": counts.tp,
        "predicted": counts.predicted,
        "gold": counts.gold,
    }


def strict_f1(units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology) -> float:
    """The one number that choices are made by: F1 of ner_strict, or of triple."""
    metric = medical.triple if ontology.answer == "results" else spans.ner_strict
    return total(metric(unit, item) for unit, item in zip(units, predictions, strict=True)).f1


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
    clusters = Counter(name for prediction in predictions for name in cluster_classes(prediction))
    return {
        "split": split,
        "prompts": len(units),
        "answers": {name: answer_classes[name] for name in ANSWER_CLASSES},
        "items": {name: item_classes[name] for name in ITEM_CLASSES},
        "clusters": {name: clusters[name] for name in CLUSTER_CLASSES},
        "metrics": all_scores(units, predictions, ontology),
        "labels": {
            metric: {label: _shown(counts) for label, counts in by_label.items()}
            for metric, by_label in label_counts(units, predictions, ontology).items()
        },
        "valid": answer_classes["ok"] / len(predictions),
        "mean_tokens": mean_tokens,
        "ceiling": all_scores(units, gold, ontology),
    }


def _items(prediction: Prediction) -> tuple:
    return *prediction.spans, *prediction.relations
