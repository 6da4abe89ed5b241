"""All scores of one file of predictions: the content of `scores/{split}.json`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tabpo.data.grounding import read_answer, read_in_order, read_repaired
from tabpo.data.ontology import Ontology
from tabpo.data.repairs import REPAIRS
from tabpo.data.units import Unit
from tabpo.metrics import medical, pv_style, relaxed, spans
from tabpo.metrics.coreference import coreference_scores
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.labels import label_counts, macro_f1
from tabpo.metrics.parity import SCORERS
from tabpo.metrics.validity import class_counts, empty_share, rates, repetition
from tabpo.records import Completion, Prediction

HEADLINE = "set_directed"
"""The convention a metric means where none is named: set counting, relations directed."""

CANONICAL, PV_STYLE, MACRO = "set_canonical", "pv_style", "macro_label"
REPAIRED, IN_ORDER = "repaired", "in_order"
"""Other conventions that are no published scorer's; `meanings` says what each is."""

Readings = Mapping[str, Sequence[Prediction]]
"""Other predictions from the same answers: `repaired`, and `in_order` of the text."""


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
    units: Sequence[Unit], predictions: Sequence[Prediction], readings: Readings, ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """metric -> convention -> precision, recall, f1 (0 to 1), tp, predicted, gold, over all units.

    `macro_label`, which has `f1` alone, averages over labels; all else is micro. Documents have coreference too: `muc`,
    `b_cubed` and `ceaf_e` without counts, and `conll` with `f1` alone. For each of `readings`, the predictions that
    another reading of the same answers gave, every metric has its headline as a convention of that name.
    """
    scores = _scores(units, predictions, ontology)
    others = {
        name: scores if reading == predictions else _scores(units, reading, ontology)
        for name, reading in readings.items()
    }
    for metric, conventions in scores.items():
        conventions |= {name: other[metric][HEADLINE] for name, other in others.items()}
    return scores


def _scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
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


NOT_WRITTEN = dict.fromkeys(("mean_tokens", "mean_characters", "finished", "repetition", "repairs", "repaired"))
"""What a score file says of the texts of answers where there are none."""


def _written(
    completions: Sequence[Completion], units: Sequence[Unit], ontology: Ontology
) -> tuple[Readings, dict[str, Any]]:
    """Other readings of the texts; and their lengths, repetition, repairs by kind, and the share that was repaired."""
    texts = [one.completion for one in completions]
    mended = [read_repaired(text, unit, ontology) for text, unit in zip(texts, units, strict=True)]
    repairs = Counter(done for done, _ in mended)
    readings = {REPAIRED: [prediction for _, prediction in mended], IN_ORDER: _in_order(texts, units, ontology)}
    return readings, {
        "mean_tokens": fmean(one.n_tokens for one in completions),
        "mean_characters": fmean(map(len, texts)),
        "finished": fmean(one.finished for one in completions),
        "repetition": repetition(texts),
        "repairs": {name: repairs[name] for name in REPAIRS},
        "repaired": 1 - (repairs["none"] + repairs["unrepaired"]) / len(texts),
    }


def _in_order(texts: Sequence[str], units: Sequence[Unit], ontology: Ontology) -> list[Prediction]:
    return [read_in_order(text, unit, ontology) for text, unit in zip(texts, units, strict=True)]


def score(
    split: str,
    units: Sequence[Unit],
    predictions: Sequence[Prediction],
    answers: Sequence[str],
    ontology: Ontology,
    completions: Sequence[Completion] | None,
) -> dict[str, Any]:
    """What `scores/{split}.json` holds.

    Args:
        split: Name of the split of prompts.
        units: Of every prompt, at least one.
        predictions: Of the same units in the same order.
        answers: Their gold answers as prompts give them; read like a model's they score the `ceiling`, which is below
            1 where a text occurs more often in its unit than it is annotated.
        ontology: Of the dataset.
        completions: The same predictions as a model wrote them; None where no model did.
    """
    gold = [read_answer(answer, unit, ontology) for answer, unit in zip(answers, units, strict=True)]
    if completions is None:
        readings, written = {REPAIRED: predictions, IN_ORDER: predictions}, NOT_WRITTEN
    else:
        readings, written = _written(completions, units, ontology)
    gold_readings = {REPAIRED: gold, IN_ORDER: _in_order(answers, units, ontology)}
    counts = class_counts(predictions)
    by_label = label_counts(units, predictions, ontology)
    return {
        "split": split,
        "prompts": len(units),
        **counts,
        "rates": rates(counts),
        "valid": counts["answers"]["ok"] / len(predictions),
        "empty": empty_share(predictions),
        **written,
        "metrics": all_scores(units, predictions, readings, ontology),
        "labels": {
            metric: {label: _shown(found) for label, found in labels.items()} for metric, labels in by_label.items()
        },
        "ceiling": all_scores(units, gold, gold_readings, ontology),
        "gold": {"empty": empty_share(gold), "repetition": repetition(answers)},
    }
