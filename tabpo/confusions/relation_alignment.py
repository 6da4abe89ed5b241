"""Predicted relations against gold ones, through the alignment of their spans."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tabpo.answers.ontology import Ontology
from tabpo.records import PredictedRelation, Relation

COUNTED_CLASSES = ("ok", "unknown_label")
"""Predicted relations that say something; one that dangles, repeats another or joins a span with itself does not."""


@dataclass(frozen=True, slots=True)
class RelationAlignment:
    """Which predicted relation stands for which gold one.

    Attributes:
        matches: (gold, predicted, whether reversed); None where either is symmetric and has no direction.
        misplaced: (gold, whether the head is wrong), one end right and the label too.
        missed: Gold relations between found spans without a partner.
        spurious: Predicted relations between aligned spans without a partner.
        unaligned: Gold relations with an end that was missed and predicted ones with an end that is spurious, together.
    """

    matches: list[tuple[Relation, PredictedRelation, bool | None]]
    misplaced: list[tuple[Relation, bool]]
    missed: list[Relation]
    spurious: list[PredictedRelation]
    unaligned: int


@dataclass(slots=True)
class _Mapped:
    """A predicted relation with its ends as gold ids, None where the end stands for no gold span."""

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
    """Pair relations one to one: same ends first (best agreement in direction, then label), then one right end.

    Args:
        gold: Of the unit.
        predicted: Of the answer.
        gold_of: Gold span that a predicted span stands for, by ids.
        missed_spans: Ids of gold spans that no predicted span stands for.
        ontology: Which relations are symmetric; an unknown one counts as directed.
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
    """Pairs between the same two spans, whole agreement before partial; what they use leaves `free`."""
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
    """Pairs of one label that share one end; what they use leaves `free`."""
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
