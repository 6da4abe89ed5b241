"""Edit the relations of a draft, one function per kind of error; each returns None if it cannot apply."""

from dataclasses import replace
from random import Random

from tabpo.confusions.counts import HEAD, NONE, REVERSED, TAIL
from tabpo.pairs.draft import (
    Context,
    Draft,
    draft_numbers,
    others,
    pick,
    pick_preferred,
    pick_target,
    relation_path,
    relation_record,
)
from tabpo.records import Edit, Relation


def relabel_relation(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Give a relation another label, with the same ends in the same order."""
    options = [
        (target.weight, (relation, replace(relation, label=target.wrong), target))
        for relation in draft.free_relations()
        for valid in [others(context.ontology.relations, relation.label)]
        for target in context.proposals.targets("relation_label", relation.label, valid)
        if replace(relation, label=target.wrong) not in draft.relations
    ]
    picked = pick(rng, options)
    if picked is None:
        return None
    relation, wrong, target = picked
    field = f"{relation_path(draft, relation)}/label"
    return _changed(draft, relation, wrong, Edit("relation_label", field, relation.label, wrong.label, target.source))


def reverse_relation(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Exchange head and tail of a directed relation; the Edit shows both versions as `head>tail` in gold ids."""
    options = [
        (target.weight, (relation, _reversed(relation), target))
        for relation in draft.free_relations()
        if not context.ontology.relations[relation.label].symmetric and _reversed(relation) not in draft.relations
        for target in context.proposals.targets("relation_direction", relation.label, (REVERSED,))
    ]
    picked = pick(rng, options)
    if picked is None:
        return None
    relation, wrong, target = picked
    edit = Edit("relation_direction", relation_path(draft, relation), _ends(relation), _ends(wrong), target.source)
    return _changed(draft, relation, wrong, edit)


def move_relation_end(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Give a relation another head or tail.

    The new end is drawn in proportion to how often gold relations with this label join spans with these labels. Two
    spans that are already related are not joined again. The ends of a symmetric relation are put in text order.
    Relations that keep their position in the answer's list are preferred, because moving a relation would change more
    tokens. The Edit shows both versions as `head>tail` in gold ids.
    """
    related = {frozenset((relation.head, relation.tail)) for relation in draft.relations}
    options = []
    for relation in draft.free_relations():
        for target in context.proposals.targets("relation_endpoint", relation.label, (HEAD, TAIL)):
            moved = [
                _in_order(replace(relation, **{target.wrong: span.id}), context)
                for span in draft.free_spans()
                if span.id not in (relation.head, relation.tail)
            ]
            weighed = [
                (_signature_weight(draft, context, wrong), wrong)
                for wrong in moved
                if frozenset((wrong.head, wrong.tail)) not in related
            ]
            total = sum(weight for weight, _ in weighed)
            options += [
                (target.weight * weight / total, (relation, wrong, target)) for weight, wrong in weighed if weight
            ]
    staying = [option for option in options if _keeps_place(draft, *option[1][:2])]
    picked = pick_preferred(rng, options, staying, draft)
    if picked is None:
        return None
    relation, wrong, target = picked
    edit = Edit("relation_endpoint", relation_path(draft, relation), _ends(relation), _ends(wrong), target.source)
    return _changed(draft, relation, wrong, edit)


def delete_relation(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Delete a relation."""
    options = [
        (target.weight, (relation, target))
        for relation in draft.free_relations()
        for target in context.proposals.targets("relation_missed", relation.label, (NONE,))
    ]
    picked = pick(rng, options)
    if picked is None:
        return None
    relation, target = picked
    edit = Edit("delete", relation_path(draft, relation), relation_record(relation), "", target.source)
    return _changed(draft, relation, None, edit)


def insert_relation(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Insert a relation between two spans that have none and whose labels gold relations with this label join.

    The ends of a symmetric relation are put in text order.
    """
    target = pick_target(rng, context.proposals.targets("relation_spurious", NONE, tuple(context.ontology.relations)))
    if target is None:
        return None
    related = {frozenset((relation.head, relation.tail)) for relation in draft.relations}
    free = [span.id for span in draft.free_spans()]
    invented = [
        Relation(head, tail, target.wrong)
        for head in free
        for tail in free
        if head != tail and frozenset((head, tail)) not in related
    ]
    in_order = [relation for relation in invented if _in_order(relation, context) == relation]
    relation = pick(rng, [(_signature_weight(draft, context, relation), relation) for relation in in_order])
    if relation is None:
        return None
    return _changed(draft, None, relation, Edit("insert", "relations/-", "", relation_record(relation), target.source))


def _changed(draft: Draft, old: Relation | None, new: Relation | None, edit: Edit) -> Draft:
    """Return the draft with one relation replaced, deleted or added, and its ends touched; `old` or `new` is None."""
    kept = tuple(relation for relation in draft.relations if relation != old)
    ends = {end for relation in (old, new) if relation is not None for end in (relation.head, relation.tail)}
    return replace(
        draft,
        relations=kept if new is None else (*kept, new),
        touched=draft.touched | ends,
        edits=(*draft.edits, edit),
    )


def _keeps_place(draft: Draft, relation: Relation, wrong: Relation) -> bool:
    """Return whether `wrong` has the same position in the answer's list as `relation`, which it replaces."""
    number = draft_numbers(draft)

    def before(placed: Relation) -> int:
        key = (number[placed.head], number[placed.tail], placed.label)
        return sum(
            (number[item.head], number[item.tail], item.label) < key for item in draft.relations if item != relation
        )

    return before(wrong) == before(relation)


def _in_order(relation: Relation, context: Context) -> Relation:
    """Return the relation; if it is symmetric, its ends are in text order."""
    if not context.ontology.relations[relation.label].symmetric:
        return relation
    head, tail = sorted((relation.head, relation.tail))
    return Relation(head, tail, relation.label)


def _signature_weight(draft: Draft, context: Context, relation: Relation) -> int:
    """Count the gold relations with this label that join spans with these labels.

    If the relation is symmetric, both orders count.
    """
    label_of = {span.id: span.label for span in draft.spans}
    head, tail = label_of[relation.head], label_of[relation.tail]
    orders = {(head, tail), (tail, head)} if context.ontology.relations[relation.label].symmetric else {(head, tail)}
    return sum(context.signatures.get((first, relation.label, second), 0) for first, second in orders)


def _ends(relation: Relation) -> str:
    return f"{relation.head}>{relation.tail}"


def _reversed(relation: Relation) -> Relation:
    return Relation(relation.tail, relation.head, relation.label)
