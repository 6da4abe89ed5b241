"""Count a model's confusions over aligned spans and relations, with probabilities and their intervals.

The cases that each kind counts, as gold -> predicted. "Diagonal" means that right cases (a value -> itself) are counted
too:

    label               aligned spans: label -> label, with diagonal; UNKNOWN for a label outside the ontology
    sublabel            aligned spans whose label is right: sub-label -> sub-label, with diagonal; UNKNOWN for a
                        sub-label that is not legal under that label
    boundary            aligned spans: gold label -> exact, shortened, extended, shifted
    missed              all gold spans: label -> NONE, or -> itself if a predicted span is aligned with it
    spurious            predicted spans without a partner: NONE -> label
    relation_label      relations between the same two aligned spans: label -> label, with diagonal
    relation_direction  relations between the same two aligned spans, both directed: gold label -> kept, reversed
    relation_endpoint   gold relations paired with a predicted one that has the same two ends, or the same label and
                        one right end: gold label -> kept, or the end (head, tail) that is wrong
    relation_missed     gold relations whose two ends are aligned: label -> NONE, or -> itself if one was predicted
    relation_spurious   predicted relations between two aligned spans that match no gold one: NONE -> label
    coreference         aligned spans of whole documents, by antecedent (the nearest earlier aligned span of the
                        cluster): label -> kept if the predicted antecedent is in the gold cluster, moved if it is not,
                        removed if there is none; for a span without a gold antecedent NONE -> NONE, added

Relations with a missed or spurious end follow from that error and are counted separately as left out. Unreadable
answers do not say which values are confused and are left out too, as are duplicates.

Spans are placed in the order of the text (`grounding.read_in_order`), not leftmost as for the headline metric.
Otherwise, if a document repeats a text, a right answer could be placed at another occurrence than gold and count as
both missed and spurious.
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

from tabpo.answers.clusters import mention_sets
from tabpo.answers.grounding import reground_in_order
from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit
from tabpo.confusions.alignment import align
from tabpo.confusions.relation_alignment import RelationAlignment, align_relations
from tabpo.errors import DataError
from tabpo.records import Confusion, PredictedSpan, Prediction, Span

NONE = "NONE"
"""Gold value of spurious items, and predicted value of missed items."""

UNKNOWN = "UNKNOWN"
"""Replaces every predicted value that is not in the ontology, so that no table quotes an answer."""

EXACT, SHORTENED, EXTENDED, SHIFTED = "exact", "shortened", "extended", "shifted"

KEPT, REVERSED, HEAD, TAIL = "kept", "reversed", "head", "tail"

MOVED, REMOVED, ADDED = "moved", "removed", "added"

SHAPES = (SHORTENED, EXTENDED, SHIFTED)

OUTCOMES = {NONE, UNKNOWN, EXACT, *SHAPES, KEPT, REVERSED, HEAD, TAIL, MOVED, REMOVED, ADDED}
"""Predicted values that are in no ontology."""

KINDS = (
    "label",
    "sublabel",
    "boundary",
    "missed",
    "spurious",
    "relation_label",
    "relation_direction",
    "relation_endpoint",
    "relation_missed",
    "relation_spurious",
    "coreference",
)

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def count_confusions(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> tuple[list[Confusion], dict[str, int]]:
    """Return the confusion table of the predictions for these units, and counts of what it leaves out.

    Returns:
        Rows sorted by kind (in the order of `KINDS`), gold and predicted value; no rows if no answer can be read. And
        the numbers of `unreadable` answers, `duplicates` and `relations_of_unaligned_spans`.

    Raises:
        DataError: The predictions are not for exactly these units.
    """
    by_id = {prediction.prompt_id: prediction for prediction in predictions}
    if len(by_id) != len(predictions) or set(by_id) != {unit.prompt_id for unit in units}:
        raise DataError(
            f"{len(predictions)} predictions do not answer the {len(units)} prompts, each once:"
            f" {len(set(by_id) ^ {unit.prompt_id for unit in units})} ids are on one side only"
        )
    answered = [by_id[unit.prompt_id] for unit in units]
    return count_placed(
        units,
        [reground_in_order(answer, unit, ontology) for unit, answer in zip(units, answered, strict=True)],
        ontology,
    )


def count_placed(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> tuple[list[Confusion], dict[str, int]]:
    """Return what `count_confusions` returns, for predictions in the order of the units.

    The places of their spans are used as they are, not read again in the order of the text.
    """
    cases: Counter[tuple[str, str, str]] = Counter()
    left_out = Counter(unreadable=0, duplicates=0, relations_of_unaligned_spans=0)
    for unit, prediction in zip(units, predictions, strict=True):
        if prediction.answer_class == "ok":
            _count_unit(unit, prediction, ontology, cases, left_out)
        else:
            left_out["unreadable"] += 1
    return _rows(cases), dict(left_out)


def states_links(unit: Unit, ontology: Ontology) -> bool:
    """Return whether the answer to a unit states coreference: only for whole documents in the format "entities"."""
    return ontology.answer == "entities" and unit.clusters is not None


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Two-sided 95 % score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953); total > 0."""
    share, square = count / total, Z_95**2
    centre = share + square / (2 * total)
    half_width = Z_95 * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    low, high = ((centre + sign * half_width) / (1 + square / total) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def _count_unit(
    unit: Unit, prediction: Prediction, ontology: Ontology, cases: Counter[tuple[str, str, str]], left_out: Counter[str]
) -> None:
    predicted = {span.id: span for span in prediction.spans if span.item_class != "duplicate"}
    gold = {span.id: span for span in unit.spans}
    left_out["duplicates"] += len(prediction.spans) - len(predicted)
    alignment = align(unit.spans, tuple(predicted.values()))

    for gold_id, predicted_id in alignment.matches:
        cases.update(_span_cases(gold[gold_id], predicted[predicted_id], ontology))
    cases.update(("missed", gold[gold_id].label, NONE) for gold_id in alignment.missed)
    cases.update(("spurious", NONE, _known(predicted[item].label, ontology.labels)) for item in alignment.spurious)

    gold_at = {(predicted[item].start, predicted[item].end): gold_id for gold_id, item in alignment.matches}
    gold_of = {span.id: gold_at[span.start, span.end] for span in prediction.spans if (span.start, span.end) in gold_at}
    relations = align_relations(unit.relations, prediction.relations, gold_of, alignment.missed, ontology)
    left_out["duplicates"] += sum(relation.item_class == "duplicate" for relation in prediction.relations)
    left_out["relations_of_unaligned_spans"] += relations.unaligned
    cases.update(_relation_cases(relations, ontology))
    if states_links(unit, ontology):
        cases.update(_link_cases(unit, prediction, gold_at))


def _relation_cases(relations: RelationAlignment, ontology: Ontology) -> list[tuple[str, str, str]]:
    cases = []
    for gold, predicted, is_reversed in relations.matches:
        cases.append(("relation_label", gold.label, _known(predicted.label, ontology.relations)))
        cases.append(("relation_missed", gold.label, gold.label))
        cases.append(("relation_endpoint", gold.label, KEPT))
        if is_reversed is not None:
            cases.append(("relation_direction", gold.label, REVERSED if is_reversed else KEPT))
    cases += [("relation_endpoint", gold.label, HEAD if is_head else TAIL) for gold, is_head in relations.misplaced]
    cases += [("relation_missed", gold.label, NONE) for gold in relations.missed]
    cases += [("relation_spurious", NONE, _known(item.label, ontology.relations)) for item in relations.spurious]
    return cases


def _link_cases(
    unit: Unit, prediction: Prediction, gold_at: Mapping[tuple[int, int], int]
) -> list[tuple[str, str, str]]:
    """Count antecedents; gold ids are in text order, so an antecedent has a smaller id than its mention."""
    aligned = set(gold_at.values())
    gold = _antecedents(aligned.intersection(cluster) for cluster in unit.clusters)
    predicted = _antecedents(
        {gold_at[place] for place in places if place in gold_at} for places in mention_sets(prediction)
    )
    cluster_of = {mention: cluster for cluster in unit.clusters for mention in cluster}
    cases = []
    for span in unit.spans:
        if span.id not in aligned:
            continue
        antecedent = predicted.get(span.id)
        if span.id not in gold:
            cases.append(("coreference", NONE, NONE if antecedent is None else ADDED))
        elif antecedent is None:
            cases.append(("coreference", span.label, REMOVED))
        else:
            cases.append(("coreference", span.label, KEPT if antecedent in cluster_of[span.id] else MOVED))
    return cases


def _antecedents(clusters: Iterable[Iterable[int]]) -> dict[int, int]:
    """Map each mention to the mention before it in its cluster."""
    return {mention: antecedent for cluster in clusters for antecedent, mention in pairwise(sorted(cluster))}


def _span_cases(gold: Span, predicted: PredictedSpan, ontology: Ontology) -> list[tuple[str, str, str]]:
    cases = [
        ("label", gold.label, _known(predicted.label, ontology.labels)),
        ("boundary", gold.label, boundary_shape(gold.start, gold.end, predicted.start, predicted.end)),
        ("missed", gold.label, gold.label),
    ]
    if gold.sublabel is not None and gold.label == predicted.label:
        legal = ontology.valid(predicted.label, predicted.sublabel)
        cases.append(("sublabel", gold.sublabel, predicted.sublabel if legal else UNKNOWN))
    return cases


def boundary_shape(gold_start: int, gold_end: int, start: int, end: int) -> str:
    """Name how `start:end` differs from the gold extents: exact, shortened (inside), extended (around) or shifted."""
    if (start, end) == (gold_start, gold_end):
        return EXACT
    if gold_start <= start and end <= gold_end:
        return SHORTENED
    return EXTENDED if start <= gold_start and gold_end <= end else SHIFTED


def _known(label: str, labels: Container[str]) -> str:
    return label if label in labels else UNKNOWN


def _rows(cases: Counter[tuple[str, str, str]]) -> list[Confusion]:
    totals: Counter[tuple[str, str]] = Counter()
    for (kind, gold, _), count in cases.items():
        totals[kind, gold] += count
    rows = []
    for kind, gold, predicted in sorted(cases, key=lambda case: (KINDS.index(case[0]), *case)):
        count, total = cases[kind, gold, predicted], totals[kind, gold]
        low, high = wilson_interval(count, total)
        rows.append(Confusion(kind, gold, predicted, count, count / total, low, high))
    return rows
