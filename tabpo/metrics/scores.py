"""All scores of one file of predictions: the content of `scores/{split}.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from tabpo.answers.grounding import read_answer, read_in_order, read_repaired
from tabpo.answers.ontology import Ontology
from tabpo.answers.repairs import REPAIRS
from tabpo.answers.units import Unit
from tabpo.metrics import medical, pv_style, relaxed, spans
from tabpo.metrics.coreference import Sums, coreference_sums
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.labels import known_labels, label_counts, macro_f1
from tabpo.metrics.names import CANONICAL, HEADLINE, IN_ORDER, MACRO, MEANS, PV_STYLE, REPAIRED
from tabpo.metrics.published import SCORERS
from tabpo.metrics.validity import class_counts, empty_share, rates, repetition, validity
from tabpo.records import Completion, Prediction

Readings = Mapping[str, Sequence[Prediction]]
"""Predictions from other readings of the same answers: `repaired` and `in_order`."""

UnitCounts = dict[tuple[str, str, str | None], Counts | Sums]
"""Counts by (metric, convention, label); the label is None for all items of a metric together."""


def unit_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    """Count one unit by (metric, convention); all units of a dataset have the same keys.

    Every metric has the headline convention. The metrics `semantic_label`, `relational_linking` and `textual_grounding`
    are families with two conventions. `HEADLINE` repeats the strict metric of exact places and labels; `PV_STYLE`
    counts sets of labels, links and spans as `pv_style` does. Medical answers have no links.
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
        for metric, published_counts in scorer(unit, prediction, symmetric).items():
            counts[metric, scorer.__name__] = published_counts
    counts["semantic_label", HEADLINE] = counts["ner_strict", HEADLINE]
    counts["semantic_label", PV_STYLE] = pv_style.code(unit, prediction, ontology)
    counts["relational_linking", HEADLINE] = counts["rel", HEADLINE]
    counts["relational_linking", PV_STYLE] = pv_style.link(unit, prediction, ontology)
    counts["textual_grounding", HEADLINE] = counts["ner_boundary", HEADLINE]
    counts["textual_grounding", PV_STYLE] = pv_style.span(unit, prediction)
    return counts


def count_units(
    units: Sequence[Unit], predictions: Sequence[Prediction], readings: Readings, ontology: Ontology
) -> list[UnitCounts]:
    """Return all counts of each unit; all units have the same (metric, convention) keys.

    For each of `readings`, every metric has its headline counts under a convention with the name of the reading. Units
    of whole documents have the sums of coreference too. Counts by label use the headline convention.
    """
    rows = []
    for number, (unit, prediction) in enumerate(zip(units, predictions, strict=True)):
        counts = _unit_sums(unit, prediction, ontology)
        row: UnitCounts = {(metric, convention, None): sums for (metric, convention), sums in counts.items()}
        for (metric, label), sums in label_counts(unit, prediction, ontology).items():
            row[metric, HEADLINE, label] = sums
        for name, reading in readings.items():
            other = counts if reading[number] == prediction else _unit_sums(unit, reading[number], ontology)
            headlines = {metric: sums for (metric, convention), sums in other.items() if convention == HEADLINE}
            row |= {(metric, name, None): sums for metric, sums in headlines.items()}
        rows.append(row)
    return rows


def _unit_sums(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts | Sums]:
    counts = unit_counts(unit, prediction, ontology)
    if ontology.answer == "results" or unit.clusters is None:
        return counts
    return counts | {(metric, HEADLINE): sums for metric, sums in coreference_sums(unit, prediction).items()}


def summed(rows: Iterable[UnitCounts]) -> UnitCounts:
    """Sum the counts of all units."""
    sums: UnitCounts = {}
    for row in rows:
        for key, counts in row.items():
            sums[key] = sums[key] + counts if key in sums else counts
    return sums


def scores_of(sums: UnitCounts, ontology: Ontology) -> dict[str, dict[str, dict[str, float]]]:
    """Return metric -> convention -> precision, recall, f1 (0 to 1), tp, predicted, gold.

    `macro_label` averages over labels and has `f1` only; all other scores are micro averages. `muc`, `b_cubed` and
    `ceaf_e` have no counts. The metrics of `MEANS` have `f1` only.
    """
    scores: dict[str, dict[str, dict[str, float]]] = {}
    by_label: dict[str, list[Counts]] = {}
    for (metric, convention, label), counts in sums.items():
        if label is None:
            scores.setdefault(metric, {})[convention] = counts.shown()
        else:
            by_label.setdefault(metric, []).append(counts)
    for metric in known_labels(ontology):
        scores[metric][MACRO] = {"f1": macro_f1(by_label.get(metric, []))}
    for mean, metrics in MEANS.items():
        scored = [metric for metric in metrics if metric in scores]
        members = [metric for metric in scored if sums[metric, HEADLINE, None].parts[-1]] or scored
        if members:
            scores[mean] = {
                convention: {"f1": fmean(scores[metric][convention]["f1"] for metric in members)}
                for convention in scores[members[0]]
            }
    return scores


def all_scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], readings: Readings, ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the scores of all units together."""
    return scores_of(summed(count_units(units, predictions, readings, ontology)), ontology)


def strict_f1(units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology) -> float:
    """Return the F1 on which choices are based: of `ner_strict`, or of `triple` for medical answers."""
    metric = medical.triple if ontology.answer == "results" else spans.ner_strict
    return total(metric(unit, item) for unit, item in zip(units, predictions, strict=True)).f1


NOT_WRITTEN = dict.fromkeys(("mean_tokens", "mean_characters", "finished", "repetition", "repairs", "repaired"))
"""Values in a score file that describe the texts of answers, if there are no texts."""


def _written(
    completions: Sequence[Completion], units: Sequence[Unit], ontology: Ontology
) -> tuple[Readings, dict[str, Any]]:
    """Return other readings of the texts, and what a score file says of the texts.

    That is their mean lengths, repetition, numbers of repairs by kind, and the share of answers that were repaired.
    """
    texts = [completion.completion for completion in completions]
    mended = [read_repaired(text, unit, ontology) for text, unit in zip(texts, units, strict=True)]
    repairs = Counter(done for done, _ in mended)
    readings = {REPAIRED: [prediction for _, prediction in mended], IN_ORDER: _in_order(texts, units, ontology)}
    return readings, {
        "mean_tokens": _mean_if_known([completion.n_tokens for completion in completions]),
        "mean_characters": fmean(map(len, texts)),
        "finished": _mean_if_known([completion.finished for completion in completions]),
        "repetition": repetition(texts),
        "repairs": {name: repairs[name] for name in REPAIRS},
        "repaired": 1 - (repairs["none"] + repairs["unrepaired"]) / len(texts),
    }


def _mean_if_known(values: Sequence[float | None]) -> float | None:
    return None if None in values else fmean(values)


def _in_order(texts: Sequence[str], units: Sequence[Unit], ontology: Ontology) -> list[Prediction]:
    return [read_in_order(text, unit, ontology) for text, unit in zip(texts, units, strict=True)]


def score(
    split: str,
    units: Sequence[Unit],
    predictions: Sequence[Prediction],
    answers: Sequence[str],
    ontology: Ontology,
    completions: Sequence[Completion] | None,
) -> tuple[dict[str, Any], list[UnitCounts]]:
    """Return the content of `scores/{split}.json` and the counts of each unit.

    Args:
        split: Name of the split of prompts.
        units: The unit of each prompt, at least one.
        predictions: The predictions for these units, in the same order.
        answers: The gold answers of the prompts. They are read like a model's answers and give the score `ceiling`,
            which is below 1 if a text occurs more often in its unit than it is annotated.
        ontology: The ontology of the dataset.
        completions: The predictions as a model wrote them; None if no model did.
    """
    gold = [read_answer(answer, unit, ontology) for answer, unit in zip(answers, units, strict=True)]
    if completions is None:
        readings, written = {REPAIRED: predictions, IN_ORDER: predictions}, NOT_WRITTEN
    else:
        readings, written = _written(completions, units, ontology)
    gold_readings = {REPAIRED: gold, IN_ORDER: _in_order(answers, units, ontology)}
    classes = class_counts(predictions)
    by_unit = count_units(units, predictions, readings, ontology)
    sums = summed(by_unit)
    return {
        "split": split,
        "prompts": len(units),
        **classes,
        "rates": rates(classes),
        **validity(units, predictions),
        **written,
        "metrics": scores_of(sums, ontology),
        "labels": {
            metric: {name: sums[key].shown() for name in names if (key := (metric, HEADLINE, name)) in sums}
            for metric, names in known_labels(ontology).items()
        },
        "ceiling": all_scores(units, gold, gold_readings, ontology),
        "gold": {"empty": empty_share(gold), "repetition": repetition(answers)},
    }, by_unit
