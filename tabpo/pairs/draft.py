"""A gold unit in the course of being edited, and what its operators share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from tabpo.answers.ontology import Ontology
from tabpo.answers.render import Answer, gold_answer
from tabpo.answers.units import Unit
from tabpo.pairs.extents import SpanShape
from tabpo.pairs.proposals import Proposals, Target
from tabpo.records import Edit, Relation, Span

Option = TypeVar("Option")


@dataclass(frozen=True, slots=True)
class Context:
    """What the operators of one pairing share.

    Attributes:
        ontology: What is valid.
        proposals: What is likely.
        shape: How gold spans of the training units look; invented ones look alike.
        sublabels: Gold spans of the training units by (label, sub-label); invented records follow them, plus one each.
        signatures: Gold links of the training units by (label of the head, relation, label of the tail), for a link
            of coreference (label of the antecedent, "coreference", label of the mention); invented links follow them.
    """

    ontology: Ontology
    proposals: Proposals
    shape: SpanShape
    sublabels: dict[tuple[str, str | None], int]
    signatures: dict[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Draft:
    """A gold unit with some edits; `unit` itself stays as it is.

    Attributes:
        unit: The gold unit.
        spans: As edited, with the gold ids; invented ones are numbered on.
        relations: As edited, between these ids.
        clusters: As edited, of these ids, sorted; mentions that were deleted are still there. None for a sentence.
        touched: Ids of spans that later edits leave alone.
        edits: What was done, in order.
        smallest: Whether edits that change least come first: deletions that take no relation along, ends that leave
            their relation in its place.
    """

    unit: Unit
    spans: tuple[Span, ...]
    relations: tuple[Relation, ...]
    clusters: tuple[tuple[int, ...], ...] | None
    touched: frozenset[int] = frozenset()
    edits: tuple[Edit, ...] = ()
    smallest: bool = True

    def free_spans(self) -> list[Span]:
        """Spans that no edit has touched."""
        return [span for span in self.spans if span.id not in self.touched]

    def free_relations(self) -> list[Relation]:
        """Relations between spans that no edit has touched."""
        return [relation for relation in self.relations if self.touched.isdisjoint((relation.head, relation.tail))]


def gold_draft(unit: Unit, *, smallest: bool = True) -> Draft:
    """The draft without edits."""
    return Draft(unit, unit.spans, unit.relations, unit.clusters, smallest=smallest)


def draft_answer(draft: Draft) -> Answer:
    """The answer that a draft makes: spans back in text order, ids from 1, clusters of at least two kept mentions."""
    number = draft_numbers(draft)
    spans = sorted(draft.spans, key=lambda span: number[span.id])
    relations = sorted((number[item.head], number[item.tail], item.label) for item in draft.relations)
    clusters = draft.clusters
    if clusters is not None:
        kept = [tuple(sorted(number[mention] for mention in cluster if mention in number)) for cluster in clusters]
        clusters = tuple(sorted(cluster for cluster in kept if len(cluster) > 1))
    edited = replace(
        draft.unit,
        spans=tuple(replace(span, id=number[span.id]) for span in spans),
        relations=tuple(Relation(*relation) for relation in relations),
        clusters=clusters,
    )
    return gold_answer(edited)


def pick(rng: Random, options: Sequence[tuple[float, Option]]) -> Option | None:
    """One option in proportion to its weight; None where no weight is positive."""
    remaining = rng.random() * sum(weight for weight, _ in options)
    chosen = None
    for weight, option in options:
        if weight <= 0:
            continue
        chosen = option
        remaining -= weight
        if remaining < 0:
            break
    return chosen


def pick_preferred(
    rng: Random, options: Sequence[tuple[float, Option]], preferred: Sequence[tuple[float, Option]], draft: Draft
) -> Option | None:
    """One of the preferred options where there is any and the draft asks for the smallest edits, else one of all."""
    picked = pick(rng, preferred) if draft.smallest else None
    return pick(rng, options) if picked is None else picked


def pick_target(rng: Random, targets: Sequence[Target]) -> Target | None:
    """One target in proportion to its weight; None where there is none."""
    return pick(rng, [(target.weight, target) for target in targets])


def others(values: Mapping[str, object], value: str | None) -> tuple[str, ...]:
    """All names but one."""
    return tuple(name for name in values if name != value)


def span_path(draft: Draft, context: Context, span: Span) -> str:
    """Where a gold record is in the gold answer, positions counted from 0: `entities/2`, `results/2`."""
    return f"{context.ontology.answer}/{draft.unit.spans.index(span)}"


def relation_path(draft: Draft, relation: Relation) -> str:
    """Where a gold relation is in the gold answer, positions counted from 0: `relations/2`."""
    return f"relations/{draft.unit.relations.index(relation)}"


def draft_numbers(draft: Draft) -> dict[int, int]:
    """The number in the draft's answer of each span, by its id in the draft: records are numbered in text order."""
    spans = sorted(draft.spans, key=lambda span: (span.start, span.end, span.label, span.sublabel or ""))
    return {span.id: position for position, span in enumerate(spans, start=1)}


def span_text(draft: Draft, span: Span) -> str:
    """The span's stretch of the unit's text."""
    return draft.unit.text[span.start - draft.unit.start : span.end - draft.unit.start]


def relation_record(relation: Relation) -> str:
    """A relation as an Edit shows it."""
    return compact_json(head=relation.head, label=relation.label, tail=relation.tail)


def compact_json(**values: object) -> str:
    """A record as an Edit shows it."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def compact_ids(ids: Sequence[int]) -> str:
    """A cluster as an Edit shows it."""
    return json.dumps(ids, separators=(",", ":"))
