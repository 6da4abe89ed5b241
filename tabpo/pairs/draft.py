"""A gold unit that is being edited, and the functions that all edit operators share."""

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
        ontology: Says which labels and relations are valid.
        proposals: Say which wrong values are likely.
        shape: Lengths and edge tokens of the gold spans of the training units; invented spans follow them.
        sublabels: Number of gold spans of the training units by (label, sub-label). The sub-labels of invented records
            follow these counts plus one.
        signatures: Number of gold links of the training units by (label of the head, relation, label of the tail), or
            (label of the antecedent, "coreference", label of the mention). Invented links follow these counts.
    """

    ontology: Ontology
    proposals: Proposals
    shape: SpanShape
    sublabels: dict[tuple[str, str | None], int]
    signatures: dict[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Draft:
    """A gold unit with some edits; `unit` itself is not changed.

    Attributes:
        unit: The gold unit.
        spans: The edited spans. Gold spans keep their ids; invented spans get the next higher ids.
        relations: The edited relations between these ids.
        clusters: The edited clusters of these ids, sorted; None for a sentence. Mentions whose spans were deleted are
            still listed.
        touched: Ids of the spans that later edits must not change.
        edits: The edits made so far, in order.
        smallest: Whether to prefer the smallest edits: deletions that remove no relation, and changed relation ends
            that leave the relation at its position in the answer.
    """

    unit: Unit
    spans: tuple[Span, ...]
    relations: tuple[Relation, ...]
    clusters: tuple[tuple[int, ...], ...] | None
    touched: frozenset[int] = frozenset()
    edits: tuple[Edit, ...] = ()
    smallest: bool = True

    def free_spans(self) -> list[Span]:
        """Return the spans that no edit has touched."""
        return [span for span in self.spans if span.id not in self.touched]

    def free_relations(self) -> list[Relation]:
        """Return the relations between spans that no edit has touched."""
        return [relation for relation in self.relations if self.touched.isdisjoint((relation.head, relation.tail))]


def gold_draft(unit: Unit, *, smallest: bool = True) -> Draft:
    """Return the draft of a gold unit, without edits."""
    return Draft(unit, unit.spans, unit.relations, unit.clusters, smallest=smallest)


def draft_answer(draft: Draft) -> Answer:
    """Return the answer of a draft.

    Spans are in text order with ids from 1. Clusters keep the mentions whose spans remain; clusters with fewer than two
    are dropped.
    """
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
    """Draw one option in proportion to its weight; return None if no weight is positive."""
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
    """Draw a preferred option if the draft asks for the smallest edits and there is one, else any option."""
    picked = pick(rng, preferred) if draft.smallest else None
    return pick(rng, options) if picked is None else picked


def pick_target(rng: Random, targets: Sequence[Target]) -> Target | None:
    """Draw one target in proportion to its weight; return None if there is none."""
    return pick(rng, [(target.weight, target) for target in targets])


def others(values: Mapping[str, object], value: str | None) -> tuple[str, ...]:
    """Return all names except `value`."""
    return tuple(name for name in values if name != value)


def span_path(draft: Draft, context: Context, span: Span) -> str:
    """Return the path of a gold span in the gold answer, counted from 0, such as `entities/2` or `results/2`."""
    return f"{context.ontology.answer}/{draft.unit.spans.index(span)}"


def relation_path(draft: Draft, relation: Relation) -> str:
    """Return the path of a gold relation in the gold answer, counted from 0, such as `relations/2`."""
    return f"relations/{draft.unit.relations.index(relation)}"


def draft_numbers(draft: Draft) -> dict[int, int]:
    """Map the id of each span in the draft to its number in the draft's answer; spans are numbered in text order."""
    spans = sorted(draft.spans, key=lambda span: (span.start, span.end, span.label, span.sublabel or ""))
    return {span.id: position for position, span in enumerate(spans, start=1)}


def span_text(draft: Draft, span: Span) -> str:
    """Return the text of a span."""
    return draft.unit.text[span.start - draft.unit.start : span.end - draft.unit.start]


def relation_record(relation: Relation) -> str:
    """Write a relation as an Edit shows it."""
    return compact_json(head=relation.head, label=relation.label, tail=relation.tail)


def compact_json(**values: object) -> str:
    """Write a record as an Edit shows it."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def compact_ids(ids: Sequence[int]) -> str:
    """Write a cluster as an Edit shows it."""
    return json.dumps(ids, separators=(",", ":"))
