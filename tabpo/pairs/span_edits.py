"""Edit the spans of a draft, one function per kind of error; each returns None if it cannot apply.

Every edit is schema-valid by construction: labels and their combinations come from the ontology, and spans are
stretches of the unit's text. Later edits do not change a span that an edit has touched, nor the ends of a relation that
it has touched, so no edit undoes another.
"""

from collections import defaultdict
from dataclasses import replace
from random import Random

from tabpo.confusions.alignment import MINIMUM_OVERLAP, overlap
from tabpo.confusions.counts import NONE, SHAPES, boundary_shape
from tabpo.pairs.coreference_edits import left_cluster
from tabpo.pairs.draft import (
    Context,
    Draft,
    compact_json,
    others,
    pick,
    pick_preferred,
    pick_target,
    relation_path,
    relation_record,
    span_path,
    span_text,
)
from tabpo.pairs.extents import changed_extents, free_extents
from tabpo.pairs.proposals import CONSEQUENCE, Target
from tabpo.records import Edit, Span

FIELDS = {
    "entities": {"label": "label", "boundary": "span"},
    "results": {"label": "Code", "sublabel": "Sub-code", "boundary": "Span"},
}
"""Key of the answer that each operator changes, by format of the answer."""


def relabel(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Give a span another label; a sub-label that is not legal under it is replaced too, in a second Edit."""
    options = [
        (target.weight * share, (span, Span(span.id, target.wrong, sublabel, span.start, span.end), target))
        for span in draft.free_spans()
        for target in context.proposals.targets("label", span.label, others(context.ontology.labels, span.label))
        for share, sublabel in _legal_sublabels(context, target.wrong, span.sublabel)
    ]
    return _replace_span(draft, context, rng, options, "label")


def resublabel(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Give a span another sub-label that is legal under its label."""
    options = [
        (target.weight, (span, Span(span.id, span.label, target.wrong, span.start, span.end), target))
        for span in draft.free_spans()
        if span.sublabel is not None
        for valid in [others(context.ontology.labels[span.label].sublabels, span.sublabel)]
        for target in context.proposals.targets("sublabel", span.sublabel, valid)
    ]
    return _replace_span(draft, context, rng, options, "sublabel")


def move_boundary(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Move one or both ends of a span by at most two tokens: it gets shorter, longer or shifted, with another text.

    Both versions overlap enough for `alignment` to pair them. With less overlap the edit would be counted as a missed
    span and a spurious span.
    """
    options = []
    for span in draft.free_spans():
        moved = [
            (weight, replace(span, start=start, end=end))
            for weight, start, end in changed_extents(draft.unit, span.start, span.end, context.shape)
        ]
        changes = [
            (weight, boundary_shape(span.start, span.end, changed.start, changed.end), changed)
            for weight, changed in moved
            if span_text(draft, span) != span_text(draft, changed) and overlap(span, changed) >= MINIMUM_OVERLAP
        ]
        for target in context.proposals.targets("boundary", span.label, SHAPES):
            fitting = [(weight, changed) for weight, shape, changed in changes if shape == target.wrong]
            total = sum(weight for weight, _ in fitting)
            options += [(target.weight * weight / total, (span, changed, target)) for weight, changed in fitting]
    return _replace_span(draft, context, rng, options, "boundary")


def delete_span(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Delete a span; prefer one that ends no relation, else delete its relations with it.

    A span at the end of a relation that an edit has touched is not deleted. Relations and mentions that are deleted
    with the span are Edits too.
    """
    ends = {end for relation in draft.relations for end in (relation.head, relation.tail)}
    options = [
        (target.weight, (span, target))
        for span in draft.free_spans()
        for target in context.proposals.targets("missed", span.label, (NONE,))
    ]
    alone = [option for option in options if option[1][0].id not in ends]
    picked = pick_preferred(rng, options, alone, draft)
    if picked is None:
        return None
    span, target = picked
    gone = [relation for relation in draft.relations if span.id in (relation.head, relation.tail)]
    spans = tuple(item for item in draft.spans if item.id != span.id)
    edits = [
        Edit("delete", span_path(draft, context, span), _record(draft, context, span), "", target.source),
        *(Edit("delete", relation_path(draft, item), relation_record(item), "", CONSEQUENCE) for item in gone),
        *(left_cluster(draft, cluster, spans) for cluster in draft.clusters or () if span.id in cluster),
    ]
    return replace(
        draft,
        spans=spans,
        relations=tuple(item for item in draft.relations if item not in gone),
        touched=draft.touched | {span.id},
        edits=(*draft.edits, *edits),
    )


def insert_span(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Insert a span that resembles gold spans and overlaps no span, deleted ones included."""
    target = pick_target(rng, context.proposals.targets("spurious", NONE, tuple(context.ontology.labels)))
    extents = pick(rng, free_extents(draft.unit, (*draft.unit.spans, *draft.spans), context.shape))
    if target is None or extents is None:
        return None
    sublabel = pick(rng, _legal_sublabels(context, target.wrong, None))
    number = max((span.id for span in (*draft.unit.spans, *draft.spans)), default=0) + 1
    span = Span(number, target.wrong, sublabel, *extents)
    edit = Edit("insert", f"{context.ontology.answer}/-", "", _record(draft, context, span), target.source)
    return replace(draft, spans=(*draft.spans, span), touched=draft.touched | {number}, edits=(*draft.edits, edit))


def _replace_span(
    draft: Draft,
    context: Context,
    rng: Random,
    options: list[tuple[float, tuple[Span, Span, Target]]],
    operator: str,
) -> Draft | None:
    """Draw one (gold span, wrong span, target) whose wrong span repeats no other record, and replace the span."""
    stated_by = defaultdict(set)
    for item in draft.spans:
        stated_by[_statement(item, context)].add(item.id)
    picked = pick(
        rng, [option for option in options if stated_by[_statement(option[1][1], context)] <= {option[1][1].id}]
    )
    if picked is None:
        return None
    span, wrong, target = picked
    path, keys = span_path(draft, context, span), FIELDS[context.ontology.answer]
    if operator == "boundary":
        values = [(keys[operator], span_text(draft, span), span_text(draft, wrong))]
    else:
        values = [(keys["label"], span.label, wrong.label), (keys.get("sublabel"), span.sublabel, wrong.sublabel)]
    edits = [
        Edit(operator, f"{path}/{key}", before or "", after or "", target.source)
        for key, before, after in values
        if before != after
    ]
    return replace(
        draft,
        spans=tuple(wrong if item.id == span.id else item for item in draft.spans),
        touched=draft.touched | {span.id},
        edits=(*draft.edits, *edits),
    )


def _statement(span: Span, context: Context) -> tuple[object, ...]:
    """Return what no two records may share: the place, or the place and labels where a span may have several."""
    place = (span.start, span.end)
    return (*place, span.label, span.sublabel) if context.ontology.labels_share_spans else place


def _legal_sublabels(context: Context, label: str, sublabel: str | None) -> list[tuple[float, str | None]]:
    """Return the sub-labels that a span may have under a label, with their shares.

    A sub-label that is legal stays. Otherwise all legal ones share in proportion to their gold spans plus one.
    """
    if context.ontology.valid(label, sublabel):
        return [(1.0, sublabel)]
    legal = list(context.ontology.labels[label].sublabels) or [None]
    weights = [1 + context.sublabels.get((label, item), 0) for item in legal]
    return [(weight / sum(weights), item) for weight, item in zip(weights, legal, strict=True)]


def _record(draft: Draft, context: Context, span: Span) -> str:
    text = span_text(draft, span)
    if context.ontology.answer == "results":
        return compact_json(**{"Code": span.label, "Sub-code": span.sublabel, "Span": text})
    return compact_json(label=span.label, span=text)
