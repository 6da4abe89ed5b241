"""Pair predicted relations with gold relations, by the alignment of their spans."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tabpo.answers.ontology import Ontology
from tabpo.records import PredictedRelation, Relation

COUNTED_CLASSES = ("ok", "unknown_label")
"""Classes of predicted relations that are aligned; dangling, self and duplicate relations are not."""


@dataclass(frozen=True, slots=True)
class RelationAlignment:
    """The pairs of gold and predicted relations.

    Attributes:
        matches: (gold, predicted, whether reversed); the last is None if either relation is symmetric.
        misplaced: (gold, whether the head is wrong), for pairs with equal labels and exactly one right end.
        missed: Gold relations between aligned spans without a partner.
        spurious: Predicted relations between aligned spans without a partner.
        unaligned: Number of gold relations with a missed end plus predicted relations with a spurious end.
    """

    matches: list[tuple[Relation, PredictedRelation, bool | None]]
    misplaced: list[tuple[Relation, bool]]
    missed: list[Relation]
    spurious: list[PredictedRelation]
    unaligned: int


@dataclass(slots=True)
class _Mapped:
    """A predicted relation with its ends as gold ids; an end is None if its span is aligned with no gold span."""

    relation: PredictedRelation
    head: int | None
    tail: int | None


def align_relations(
    gold: Sequence[Relation],
    predicted: Sequence[PredictedRelation],
    gold_of: Mapping[int, int],
    missed_spans: Collection[int],
    ontology: Ontology,
) -> RelationAlignment:
    """Pair relations one to one.

    Relations with the same two ends are paired first, preferring equal direction and label, then equal label, then
    equal direction. After that, relations with equal labels and one right end are paired.

    Args:
        gold: Gold relations of the unit.
        predicted: Predicted relations of the answer.
        gold_of: Maps the id of an aligned predicted span to its gold id.
        missed_spans: Ids of gold spans without a partner.
        ontology: Says which relations are symmetric; an unknown relation counts as directed.
    """
    free = [
        _Mapped(relation, gold_of.get(relation.head), gold_of.get(relation.tail))
        for relation in predicted
        if relation.item_class in COUNTED_CLASSES
    ]
    matches, rest = _same_ends(gold, free, ontology)
    misplaced, rest = _one_right_end(rest, free, ontology)
    missed = [relation for relation in rest if not {relation.head, relation.tail} & set(missed_spans)]
    spurious = [item.relation for item in free if item.head is not None and item.tail is not None]
    return RelationAlignment(
        matches=matches,
        misplaced=misplaced,
        missed=missed,
        spurious=spurious,
        unaligned=len(rest) - len(missed) + len(free) - len(spurious),
    )


def _directed(label: str, ontology: Ontology) -> bool:
    return label not in ontology.relations or not ontology.relations[label].symmetric


def _same_ends(
    gold: Sequence[Relation], free: list[_Mapped], ontology: Ontology
) -> tuple[list[tuple[Relation, PredictedRelation, bool | None]], list[Relation]]:
    """Pair relations between the same two spans, best agreement first; paired predictions are removed from `free`."""
    partners: dict[Relation, tuple[PredictedRelation, bool | None]] = {}
    for need_direction, need_label in ((True, True), (False, True), (True, False), (False, False)):
        for relation in gold:
            if relation in partners:
                continue
            directed = _directed(relation.label, ontology)
            for item in free:
                if {item.head, item.tail} != {relation.head, relation.tail}:
                    continue
                has_direction = directed and _directed(item.relation.label, ontology)
                is_reversed = item.head != relation.head if has_direction else None
                if (is_reversed and need_direction) or (need_label and item.relation.label != relation.label):
                    continue
                partners[relation] = (item.relation, is_reversed)
                free.remove(item)
                break
    matches = [(relation, *partners[relation]) for relation in gold if relation in partners]
    return matches, [relation for relation in gold if relation not in partners]


def _one_right_end(
    gold: Sequence[Relation], free: list[_Mapped], ontology: Ontology
) -> tuple[list[tuple[Relation, bool]], list[Relation]]:
    """Pair relations with equal labels that share one end; paired predictions are removed from `free`."""
    misplaced, rest = [], []
    for relation in gold:
        directed = _directed(relation.label, ontology)
        for item in free:
            if item.relation.label != relation.label:
                continue
            head_is_right = item.head == relation.head or (not directed and item.tail == relation.head)
            tail_is_right = item.tail == relation.tail or (not directed and item.head == relation.tail)
            if head_is_right != tail_is_right:
                misplaced.append((relation, not head_is_right))
                free.remove(item)
                break
        else:
            rest.append(relation)
    return misplaced, rest
