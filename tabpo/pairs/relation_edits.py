"""Edits of the relations of a draft, one function per kind of error; None where it cannot apply."""

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
    """Another label between the same ends, in the same order."""
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
    """Head and tail of a directed relation exchanged; the Edit shows both as `head>tail` in gold ids."""
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
    """Another record as head or tail, in proportion to how often gold relations of the label join two such records.

    Relations that keep their place in the answer's list come first: others move text and ids between them. The new
    ends have no other relation; those of a symmetric relation run in text order. The Edit shows both ends, as
    `head>tail` in gold ids.
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
    """A relation less."""
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
    """A superfluous relation between two gold records that have none and that gold relations of its label may join.

    A symmetric one runs in text order.
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
    """The draft with one relation in the place of another, either of them None, and their ends touched."""
    kept = tuple(relation for relation in draft.relations if relation != old)
    ends = {end for relation in (old, new) if relation is not None for end in (relation.head, relation.tail)}
    return replace(
        draft,
        relations=kept if new is None else (*kept, new),
        touched=draft.touched | ends,
        edits=(*draft.edits, edit),
    )


def _keeps_place(draft: Draft, relation: Relation, wrong: Relation) -> bool:
    """Whether the answer lists as many relations before `wrong`, in the place of `relation`, as before that one."""
    number = draft_numbers(draft)

    def before(placed: Relation) -> int:
        key = (number[placed.head], number[placed.tail], placed.label)
        return sum(
            (number[item.head], number[item.tail], item.label) < key for item in draft.relations if item != relation
        )

    return before(wrong) == before(relation)


def _in_order(relation: Relation, context: Context) -> Relation:
    """The relation itself, or with its ends in text order if it is symmetric."""
    if not context.ontology.relations[relation.label].symmetric:
        return relation
    head, tail = sorted((relation.head, relation.tail))
    return Relation(head, tail, relation.label)


def _signature_weight(draft: Draft, context: Context, relation: Relation) -> int:
    """Gold relations of this label between two records with the labels of these; in either order if it is symmetric."""
    label_of = {span.id: span.label for span in draft.spans}
    head, tail = label_of[relation.head], label_of[relation.tail]
    orders = {(head, tail), (tail, head)} if context.ontology.relations[relation.label].symmetric else {(head, tail)}
    return sum(context.signatures.get((first, relation.label, second), 0) for first, second in orders)


def _ends(relation: Relation) -> str:
    return f"{relation.head}>{relation.tail}"


def _reversed(relation: Relation) -> Relation:
    return Relation(relation.tail, relation.head, relation.label)
