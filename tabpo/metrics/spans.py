"""Entities and relations with exact offsets, each unit counted as sets; faulty items count and are never right."""

from collections.abc import Hashable, Mapping, Set

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts, set_counts
from tabpo.metrics.items import distinct, is_sound, place
from tabpo.records import PredictedRelation, Prediction

Offsets = tuple[int, int]

DIRECTED: Set[str] = frozenset()
"""No relation is symmetric: heads and tails count as annotated."""


Items = tuple[list[tuple], list[tuple[tuple, bool]]]
"""Keys of the gold items, whose last part is the label; of each predicted one its key and whether it can be right."""


def ner_strict(unit: Unit, prediction: Prediction) -> Counts:
    """Key (start, end, label)."""
    return set_counts(*ner_items(unit, prediction))


def ner_items(unit: Unit, prediction: Prediction) -> Items:
    """What `ner_strict` counts."""
    return (
        [((span.start, span.end), span.label) for span in unit.spans],
        [((place(span), span.label), is_sound(span)) for span in distinct(prediction.spans)],
    )


def ner_boundary(unit: Unit, prediction: Prediction) -> Counts:
    """Key (start, end); an item whose label is not in the ontology is faulty and cannot be right here either."""
    return set_counts(
        ((span.start, span.end) for span in unit.spans),
        ((place(span), is_sound(span)) for span in distinct(prediction.spans)),
    )


def rel(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Counts:
    """Key (head offsets, tail offsets, label); labels of the spans are ignored, and faulty spans may be ends.

    Args:
        unit: With the gold annotations.
        prediction: Of this unit.
        symmetric: Labels whose ends are ordered by start on both sides, equal starts left as they are: `DIRECTED`
            for none (`set_directed`), or all that mean the same in both directions (`set_canonical`).
    """
    return set_counts(*rel_items(unit, prediction, symmetric))


def rel_items(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Items:
    """What `rel` counts."""
    return [key for key, _ in gold_relations(unit, symmetric)], predicted_relations(prediction, symmetric)


def rel_plus(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Counts:
    """As `rel`, and both end spans carry the gold labels among the predicted entities.

    A span that is predicted with several labels may have any of them right. An end that is no sound predicted entity
    makes the relation wrong.
    """
    return set_counts(*rel_plus_items(unit, prediction, symmetric))


def rel_plus_items(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> Items:
    """What `rel_plus` counts."""
    labels: dict[Hashable, set[str]] = {}
    for span in distinct(prediction.spans):
        if is_sound(span):
            labels.setdefault(place(span), set()).add(span.label)
    return typed_relations(unit, prediction, symmetric, labels)


def typed_relations(
    unit: Unit, prediction: Prediction, symmetric: Set[str], labels: Mapping[Hashable, Set[str]]
) -> Items:
    """Relations whose ends must have their gold labels among `labels`, which the places of entities have."""
    gold = gold_relations(unit, symmetric)
    typed = {key for key, (head, tail) in gold if head in labels.get(key[0], ()) and tail in labels.get(key[1], ())}
    return (
        [key for key, _ in gold],
        [(key, sound and key in typed) for key, sound in predicted_relations(prediction, symmetric)],
    )


def gold_relations(unit: Unit, symmetric: Set[str]) -> list[tuple[tuple, tuple[str, str]]]:
    """Of each gold relation its key, and the labels of the two ends in the key's order."""
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
    """Of each predicted relation, duplicates left out, its key and whether it can be right."""
    places = {span.id: (span.start, span.end) for span in prediction.spans if span.start is not None}
    return [(_key(relation, places, symmetric), is_sound(relation)) for relation in distinct(prediction.relations)]


def _key(relation: PredictedRelation, places: dict[int, Offsets], symmetric: Set[str]) -> tuple:
    if relation.head not in places or relation.tail not in places:
        return relation.head, relation.tail, relation.label  # dangling: ids in the place of offsets equal no gold key
    head, tail = places[relation.head], places[relation.tail]
    if relation.label in symmetric and tail[0] < head[0]:
        head, tail = tail, head
    return head, tail, relation.label
