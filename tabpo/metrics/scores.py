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
from tabpo.metrics.published import SCORERS
from tabpo.metrics.validity import class_counts, empty_share, rates, repetition
from tabpo.records import Completion, Prediction

HEADLINE = "set_directed"
"""The convention a metric means where none is named: set counting, relations directed."""

CANONICAL, PV_STYLE, MACRO = "set_canonical", "pv_style", "macro_label"
REPAIRED, IN_ORDER = "repaired", "in_order"
"""Other conventions that are no published scorer's; `meanings` says what each is."""

CONLL = ("muc", "b_cubed", "ceaf_e")
"""Metrics whose mean is `conll`."""

Readings = Mapping[str, Sequence[Prediction]]
"""Other predictions from the same answers: `repaired`, and `in_order` of the text."""

UnitCounts = dict[tuple[str, str, str | None], Counts | Sums]
"""By (metric, convention, label); the label is None for all items of a metric together."""


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


def count_units(
    units: Sequence[Unit], predictions: Sequence[Prediction], readings: Readings, ontology: Ontology
) -> list[UnitCounts]:
    """All counts of each unit, the same (metric, convention) for every unit.

    For each of `readings`, the predictions that another reading of the same answers gave, every metric has its
    headline as a convention of that name. Documents have the sums of coreference too. Labels are those of the headline.
    """
    rows = []
    for number, (unit, prediction) in enumerate(zip(units, predictions, strict=True)):
        counts = _unit_sums(unit, prediction, ontology)
        row: UnitCounts = {(metric, convention, None): found for (metric, convention), found in counts.items()}
        for (metric, label), found in label_counts(unit, prediction, ontology).items():
            row[metric, HEADLINE, label] = found
        for name, reading in readings.items():
            other = counts if reading[number] == prediction else _unit_sums(unit, reading[number], ontology)
            headlines = {metric: found for (metric, convention), found in other.items() if convention == HEADLINE}
            row |= {(metric, name, None): found for metric, found in headlines.items()}
        rows.append(row)
    return rows


def _unit_sums(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts | Sums]:
    counts = unit_counts(unit, prediction, ontology)
    if ontology.answer == "results" or unit.clusters is None:
        return counts
    return counts | {(metric, HEADLINE): found for metric, found in coreference_sums(unit, prediction).items()}


def summed(rows: Iterable[UnitCounts]) -> UnitCounts:
    """The sums of all units."""
    sums: UnitCounts = {}
    for row in rows:
        for key, counts in row.items():
            sums[key] = sums[key] + counts if key in sums else counts
    return sums


def scores_of(sums: UnitCounts, ontology: Ontology) -> dict[str, dict[str, dict[str, float]]]:
    """metric -> convention -> precision, recall, f1 (0 to 1), tp, predicted, gold.

    `macro_label`, which has `f1` alone, averages over labels; all else is micro. `muc`, `b_cubed` and `ceaf_e` have no
    counts, and `conll`, the mean of their three, `f1` alone.
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
    if "muc" in scores:
        scores["conll"] = {
            convention: {"f1": fmean(scores[metric][convention]["f1"] for metric in CONLL)}
            for convention in scores["muc"]
        }
    return scores


def all_scores(
    units: Sequence[Unit], predictions: Sequence[Prediction], readings: Readings, ontology: Ontology
) -> dict[str, dict[str, dict[str, float]]]:
    """`scores_of` the counts of all units."""
    return scores_of(summed(count_units(units, predictions, readings, ontology)), ontology)


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
) -> tuple[dict[str, Any], list[UnitCounts]]:
    """What `scores/{split}.json` holds, and the counts of each unit that it sums.

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
    classes = class_counts(predictions)
    by_unit = count_units(units, predictions, readings, ontology)
    sums = summed(by_unit)
    return {
        "split": split,
        "prompts": len(units),
        **classes,
        "rates": rates(classes),
        "valid": classes["answers"]["ok"] / len(predictions),
        "empty": empty_share(predictions),
        **written,
        "metrics": scores_of(sums, ontology),
        "labels": {
            metric: {name: sums[key].shown() for name in names if (key := (metric, HEADLINE, name)) in sums}
            for metric, names in known_labels(ontology).items()
        },
        "ceiling": all_scores(units, gold, gold_readings, ontology),
        "gold": {"empty": empty_share(gold), "repetition": repetition(answers)},
    }, by_unit
