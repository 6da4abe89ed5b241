"""Scores of entities and relations with exact offsets; each unit is counted by sets.

Faulty items count as predicted and are never right.
"""

from collections.abc import Hashable, Mapping, Set

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts, set_counts
from tabpo.metrics.items import distinct, is_sound, place
from tabpo.records import PredictedRelation, Prediction

Offsets = tuple[int, int]

DIRECTED: Set[str] = frozenset()
"""No relation is symmetric: heads and tails count as annotated."""


Items = tuple[list[tuple], list[tuple[tuple, bool]]]
"""Keys of the gold items, whose last part is the label; for each predicted item its key and whether it can be right."""


def ner_strict(unit: Unit, prediction: Prediction) -> Counts:
    """Count entities by (start, end, label)."""
    return set_counts(*ner_items(unit, prediction))


def ner_items(unit: Unit, prediction: Prediction) -> Items:
    """Return the items that `ner_strict` counts."""
    return (
        [((span.start, span.end), span.label) for span in unit.spans],
        [((place(span), span.label), is_sound(span)) for span in distinct(prediction.spans)],
    )


def ner_boundary(unit: Unit, prediction: Prediction) -> Counts:
    """Count entities by (start, end); an item with a label outside the ontology is faulty and never right."""
    return set_counts(
        ((span.start, span.end) for span in unit.spans),
        ((place(span), is_sound(span)) for span in distinct(prediction.spans)),
    )


def rel(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Counts:
    """Count relations by (head offsets, tail offsets, label); labels of the spans are ignored.

    Faulty spans may be ends.

    Args:
        unit: The unit with its gold annotations.
        prediction: The prediction for this unit.
        symmetric: Labels whose ends are ordered by start in gold and in the prediction; ends with equal starts keep
            their order. `DIRECTED` for none (`set_directed`), or all relations that mean the same in both directions
            (`set_canonical`).
    """
    return set_counts(*rel_items(unit, prediction, symmetric))


def rel_items(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Items:
    """Return the items that `rel` counts."""
    return [key for key, _ in gold_relations(unit, symmetric)], predicted_relations(prediction, symmetric)


def rel_plus(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Counts:
    """Count relations as `rel` does, and require that both end spans have the gold labels among the predicted entities.

    If a span is predicted with several labels, one of them must be right. A relation is wrong if an end is no sound
    predicted entity.
    """
    return set_counts(*rel_plus_items(unit, prediction, symmetric))


def rel_plus_items(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Items:
    """Return the items that `rel_plus` counts."""
    labels: dict[Hashable, set[str]] = {}
    for span in distinct(prediction.spans):
        if is_sound(span):
            labels.setdefault(place(span), set()).add(span.label)
    return typed_relations(unit, prediction, symmetric, labels)


def typed_relations(
    unit: Unit, prediction: Prediction, symmetric: Set[str], labels: Mapping[Hashable, Set[str]]
) -> Items:
    """Return relations, right only if the gold labels of both ends are among the `labels` of their places."""
    gold = gold_relations(unit, symmetric)
    typed = {key for key, (head, tail) in gold if head in labels.get(key[0], ()) and tail in labels.get(key[1], ())}
    return (
        [key for key, _ in gold],
        [(key, sound and key in typed) for key, sound in predicted_relations(prediction, symmetric)],
    )


def gold_relations(unit: Unit, symmetric: Set[str]) -> list[tuple[tuple, tuple[str, str]]]:
    """Return, for each gold relation, its key and the labels of its two ends in the key's order."""
    spans = {span.id: span for span in unit.spans}
    items = []
    for relation in unit.relations:
        ends = [((spans[end].start, spans[end].end), spans[end].label) for end in (relation.head, relation.tail)]
        if relation.label in symmetric and ends[1][0][0] < ends[0][0][0]:
            ends.reverse()
        (head, head_label), (tail, tail_label) = ends
        items.append(((head, tail, relation.label), (head_label, tail_label)))
    return items


def predicted_relations(prediction: Prediction, symmetric: Set[str]) -> list[tuple[tuple, bool]]:
    """Return, for each predicted relation that is no duplicate, its key and whether it can be right."""
    places = {span.id: (span.start, span.end) for span in prediction.spans if span.start is not None}
    return [(_key(relation, places, symmetric), is_sound(relation)) for relation in distinct(prediction.relations)]


def _key(relation: PredictedRelation, places: dict[int, Offsets], symmetric: Set[str]) -> tuple:
    if relation.head not in places or relation.tail not in places:
        return relation.head, relation.tail, relation.label  # dangling: ids in the place of offsets equal no gold key
    head, tail = places[relation.head], places[relation.tail]
    if relation.label in symmetric and tail[0] < head[0]:
        head, tail = tail, head
    return head, tail, relation.label
