"""Operators on random units: the edited answers are valid, verbatim and readable, and gold is not changed."""

import json
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.confusions.counts import boundary_shape, count_confusions
from tabpo.pairs.coreference_edits import change_link
from tabpo.pairs.draft import draft_answer, gold_draft, pick
from tabpo.pairs.draw import OPERATORS, pairing_contexts
from tabpo.pairs.extents import changed_extents, free_extents, span_shape
from tabpo.pairs.proposals import Proposals
from tabpo.pairs.relation_edits import (
    delete_relation,
    insert_relation,
    move_relation_end,
    relabel_relation,
    reverse_relation,
)
from tabpo.pairs.span_edits import delete_span, insert_span, move_boundary, relabel, resublabel
from tabpo.records import Confusion, Document, Relation, Span

ENTITIES = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in "ABC"},
    relations={
        "R": RelationType("", symmetric=False),
        "Q": RelationType("", symmetric=False),
        "S": RelationType("", symmetric=True),
    },
)
RESULTS = Ontology(
    answer="results",
    labels={"X": Label("", {"a": "", "b": ""}), "Y": Label("", {"b": "", "c": "d"}), "Z": Label("", {"None": ""})},
    relations={},
)
WORDS = ("neural", "net", "the", "of", "“quoted”", "-LRB-", ".", "net's")


def unit_of(words, spans, relations=(), clusters=(), unit="document"):
    document = Document(
        "d", None, " ".join(words), tuple(words), ((0, len(words)),), tuple(spans), tuple(relations), tuple(clusters)
    )
    return document_units(document, unit)[0]


def extents_of(words, first, length):
    last = min(first + length, len(words)) - 1
    start = len(" ".join(words[:first])) + (first > 0)
    return start, start + len(" ".join(words[first : last + 1]))


@st.composite
def units(draw, ontology):
    """A unit of a few words, with spans, relations and clusters where the scheme has them."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
    place = st.tuples(st.integers(0, len(words) - 1), st.integers(1, 3)).map(lambda item: extents_of(words, *item))
    pairs = [(name, sublabel) for name, label in ontology.labels.items() for sublabel in label.sublabels or [None]]
    marked = draw(
        st.lists(st.tuples(place, st.sampled_from(pairs)), max_size=5, unique_by=lambda item: item[0])
        if ontology is ENTITIES
        else st.lists(st.tuples(place, st.sampled_from(pairs)), max_size=5, unique=True)
    )
    spans = [Span(number, *pair, *extents) for number, (extents, pair) in enumerate(sorted(marked), start=1)]
    relations, clusters, unit = [], [], "document"
    if ontology is ENTITIES and len(spans) > 1:
        unit = draw(st.sampled_from(["sentence", "document"]))
        ends = st.lists(st.sampled_from(range(1, len(spans) + 1)), min_size=2, max_size=2, unique=True)
        label = st.sampled_from(list(ontology.relations))
        relations = draw(st.lists(st.builds(lambda e, name: Relation(*e, name), ends, label), max_size=4, unique=True))
        clusters = draw(st.sampled_from([[], [(1, 2)], [tuple(range(1, len(spans) + 1))]]))
    return unit_of(words, spans, relations, clusters, unit)


def context_for(unit, ontology, others=()):
    proposals = Proposals("uniform", 1.0, [], [], ontology, links=unit.clusters is not None)
    return pairing_contexts([unit, *others], ontology, [(1.0, proposals)])[0][1]


def at_path(answer, path):
    value = json.loads(answer)
    for step in path.split("/"):
        value = value[int(step) if isinstance(value, list) else step]
    return value


@pytest.mark.parametrize("ontology", [ENTITIES, RESULTS], ids=["entities", "results"])
@settings(max_examples=250)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_every_edit_is_valid_and_readable(ontology, data, seed):
    unit = data.draw(units(ontology))
    before = deepcopy(unit)
    context, rng = context_for(unit, ontology), Random(seed)
    draft = gold_draft(unit)
    for _ in range(3):
        changed = [OPERATORS[kind](draft, context, rng) for kind in context.proposals.mix]
        applicable = [item for item in changed if item is not None]
        draft = rng.choice(applicable) if applicable else draft
    assert unit == before
    assert draft.edits  # at least a deletion, or an insertion into the empty answer

    gold, rejected = render(gold_answer(unit), ontology.answer), render(draft_answer(draft), ontology.answer)
    prediction = read_answer(rejected, unit, ontology)
    assert prediction.answer_class == "ok"
    assert {item.item_class for item in (*prediction.spans, *prediction.relations)} <= {"ok"}
    for span in draft.spans:
        assert ontology.valid(span.label, span.sublabel)
        assert unit.start <= span.start < span.end <= unit.start + len(unit.text)
        assert {span.start} <= {token[0] for token in unit.token_offsets}
        assert {span.end} <= {token[1] for token in unit.token_offsets}
    for edit in draft.edits:
        if edit.operator in ("label", "sublabel", "boundary", "relation_label"):
            assert at_path(gold, edit.field) == edit.gold != edit.wrong
        elif edit.operator == "delete":
            record = at_path(gold, edit.field)
            assert json.loads(edit.gold).items() <= record.items()
        elif edit.operator == "coreference":
            before = [] if edit.field.endswith("/-") else at_path(gold, edit.field)
            assert before == json.loads(edit.gold or "[]") != json.loads(edit.wrong or "[]")
        elif edit.operator == "insert":
            assert edit.field.endswith("/-")
            assert edit.gold == ""


@pytest.mark.parametrize("ontology", [ENTITIES, RESULTS], ids=["entities", "results"])
@given(data=st.data())
def test_no_edit_renders_the_gold_answer(ontology, data):
    unit = data.draw(units(ontology))
    assert render(draft_answer(gold_draft(unit)), ontology.answer) == render(gold_answer(unit), ontology.answer)


PLAIN = unit_of(
    ["a", "neural", "net", "parses", "the", "text"],
    [Span(1, "A", None, 2, 12), Span(2, "B", None, 24, 28)],
    [Relation(1, 2, "R")],
    [(1, 2)],
)


def apply(operator, unit=PLAIN, ontology=ENTITIES, seed=0, others=()):
    return operator(gold_draft(unit), context_for(unit, ontology, others), Random(seed))


def rendered(draft, ontology=ENTITIES):
    return json.loads(render(draft_answer(draft), ontology.answer))


def test_deleting_a_record_renumbers_and_takes_its_relations_and_mentions():
    drafts = [apply(delete_span, seed=seed) for seed in range(20)]
    results = {json.dumps(rendered(draft)) for draft in drafts}
    assert results == {
        '{"entities": [{"id": 1, "label": "A", "span": "neural net"}], "relations": [], "coreference": []}',
        '{"entities": [{"id": 1, "label": "B", "span": "text"}], "relations": [], "coreference": []}',
    }


def test_inserting_a_record_renumbers_the_ends_of_relations_and_mentions():
    for seed in range(20):
        answer = rendered(apply(insert_span, seed=seed))
        texts = [entity["span"] for entity in answer["entities"]]
        assert [entity["id"] for entity in answer["entities"]] == [1, 2, 3]
        ends = [texts.index("neural net") + 1, texts.index("text") + 1]
        assert answer["relations"] == [{"head": ends[0], "label": "R", "tail": ends[1]}]
        assert answer["coreference"] == [ends]


def test_an_invented_span_overlaps_no_record():
    assert {extents for _, extents in free_extents(PLAIN, PLAIN.spans, span_shape([PLAIN]))} == {
        (0, 1),  # a
        (13, 19),  # parses
        (20, 23),  # the
        (13, 23),  # gold spans have one or two tokens
    }


def test_an_invented_span_looks_like_gold_ones():
    # "net" ends a gold span but begins none, "the" does neither; so a free "net" is the likelier last word
    unit = unit_of(["neural", "net", ".", "the", "net"], [Span(1, "A", None, 0, 10)])
    weights = {extents: weight for weight, extents in free_extents(unit, unit.spans, span_shape([unit]))}
    # overall (1 + 1) / (5 + 1); net: first (0 + 1/3) / 3, last (1 + 1/3) / 3; the: both (0 + 1/3) / 2; length 2 once
    assert weights == pytest.approx({(11, 16): 1 / 6 * 1 / 6, (13, 20): 1 / 6 * 4 / 9})


def test_no_free_extents():
    unit = unit_of(["net"], [Span(1, "A", None, 0, 3)])
    assert apply(insert_span, unit) is None
    assert apply(move_boundary, unit) is None
    assert apply(insert_relation, unit) is None
    assert apply(delete_relation, unit) is None


def test_a_span_does_not_move_to_an_equal_text():
    unit = unit_of(["net", "net", "net"], [Span(1, "A", None, 0, 7)])
    texts = {rendered(apply(move_boundary, unit, seed=seed))["entities"][0]["span"] for seed in range(30)}
    assert texts == {"net", "net net net"}


def test_a_deleted_span_is_not_inserted_again():
    unit = unit_of(["net"], [Span(1, "A", None, 0, 3)])
    assert insert_span(apply(delete_span, unit), context_for(unit, ENTITIES), Random(0)) is None


def test_an_empty_answer_allows_only_an_insertion():
    unit = unit_of(["the", "net"], [])
    applicable = {kind for kind, operator in OPERATORS.items() if apply(operator, unit) is not None}
    assert applicable == {"spurious"}


def test_boundaries_move_by_whole_tokens():
    # "neural net" in "a neural net parses the text": 2:12; starts 0 2 9 13 20 24, ends 1 8 12 19 23 28
    moved = {(start, end) for _, start, end in changed_extents(PLAIN, 2, 12, span_shape([PLAIN]))}
    ends_for = {0: {8, 12, 19, 23}, 2: {8, 19, 23}, 9: {12, 19, 23}}
    assert moved == {(start, end) for start, ends in ends_for.items() for end in ends}


def test_a_step_of_two_tokens_weighs_half():
    # no span, five tokens: every rate is (0 + 1/6) / 2; "d e" from 6:9 starts one step earlier at c, two at b
    unit = unit_of(["a", "b", "c", "d", "e"], [])
    weights = {(start, end): weight for weight, start, end in changed_extents(unit, 6, 9, span_shape([unit]))}
    assert weights[4, 9] == pytest.approx(1 / 12)
    assert weights[2, 9] == pytest.approx(1 / 24)
    assert weights[4, 7] == pytest.approx(1 / 144)


def test_a_boundary_inside_a_word_can_move_to_the_edge():
    unit = unit_of(["drug-induced", "fever"], [Span(1, "A", None, 0, 4)])
    assert {(start, end) for _, start, end in changed_extents(unit, 0, 4, span_shape([unit]))} == {(0, 12), (0, 18)}


def test_boundary_edits_have_the_shape_they_name():
    shapes = set()
    for seed in range(60):
        draft = apply(move_boundary, seed=seed)
        (gold, wrong) = next(pair for pair in zip(PLAIN.spans, draft.spans, strict=True) if pair[0] != pair[1])
        shapes.add(boundary_shape(gold.start, gold.end, wrong.start, wrong.end))
    assert shapes == {"shortened", "extended", "shifted"}


def test_a_code_keeps_its_sub_code_where_it_is_legal():
    unit = unit_of(["net"], [Span(1, "X", "b", 0, 3)])
    drafts = [apply(relabel, unit, RESULTS, seed) for seed in range(40)]
    assert {(draft.spans[0].label, draft.spans[0].sublabel) for draft in drafts} == {("Y", "b"), ("Z", "None")}
    to_y = next(draft for draft in drafts if draft.spans[0].label == "Y")
    assert [(edit.field, edit.gold, edit.wrong) for edit in to_y.edits] == [("results/0/Code", "X", "Y")]
    to_z = next(draft for draft in drafts if draft.spans[0].label == "Z")
    assert [(edit.operator, edit.field, edit.gold, edit.wrong) for edit in to_z.edits] == [
        ("label", "results/0/Code", "X", "Z"),
        ("label", "results/0/Sub-code", "b", "None"),
    ]


def test_no_edit_repeats_another_record():
    # one span has X/a and X/b: changing one sub-code into the other would repeat a record
    unit = unit_of(["net"], [Span(1, "X", "a", 0, 3), Span(2, "X", "b", 0, 3)])
    assert apply(resublabel, unit, RESULTS) is None
    # the other place already has a nested entity
    nested = unit_of(["neural", "net"], [Span(1, "A", None, 0, 10), Span(2, "A", None, 7, 10)])
    for seed in range(40):
        places = [(span.start, span.end) for span in apply(move_boundary, nested, seed=seed).spans]
        assert len(set(places)) == 2


def test_relation_edits_by_hand():
    assert rendered(apply(reverse_relation))["relations"] == [{"head": 2, "label": "R", "tail": 1}]
    assert apply(reverse_relation).edits[0].wrong == "2>1"
    assert rendered(apply(delete_relation))["relations"] == []
    labels = {rendered(apply(relabel_relation, seed=seed))["relations"][0]["label"] for seed in range(20)}
    assert labels == {"Q", "S"}


def test_a_symmetric_relation_has_no_direction_and_runs_in_text_order():
    unit = unit_of(["a", "b"], [Span(1, "A", None, 0, 1), Span(2, "A", None, 2, 3)], [Relation(2, 1, "S")])
    assert apply(reverse_relation, unit) is None
    bare = unit_of(["a", "b"], unit.spans)
    gold = [unit_of(["a", "b"], unit.spans, [Relation(1, 2, label)]) for label in ("R", "S")]
    drafts = [apply(insert_relation, bare, seed=seed, others=gold) for seed in range(60)]
    inserted = [draft.relations[0] for draft in drafts if draft is not None]  # gold has no Q, so no Q is inserted
    assert {(item.head, item.tail) for item in inserted if item.label == "S"} == {(1, 2)}
    assert {(item.head, item.tail) for item in inserted if item.label == "R"} == {(1, 2), (2, 1)}
    assert {item.label for item in inserted} == {"R", "S"}


def line(labels, relations=(), clusters=()):
    """One word for each label, all of them spans, ids from 1."""
    words = ["w"] * len(labels)
    spans = [Span(number, label, None, *extents_of(words, number - 1, 1)) for number, label in enumerate(labels, 1)]
    return unit_of(words, spans, relations, clusters)


def test_an_invented_relation_joins_labels_that_gold_ones_join():
    gold = [line("BC", [Relation(1, 2, "R")])]
    drafts = [apply(insert_relation, line("ABC"), seed=seed, others=gold) for seed in range(60)]
    assert {draft.edits[0].wrong for draft in drafts if draft is not None} == {'{"head":2,"label":"R","tail":3}'}


def test_a_moved_end_joins_labels_that_gold_relations_join():
    # R runs from A to B in gold: its head may move to the other A (3), its tail to the other B (4), never to C (5)
    unit = line("ABABC", [Relation(1, 2, "R")])
    drafts = [apply(move_relation_end, unit, seed=seed) for seed in range(60)]
    assert {draft.edits[0].wrong for draft in drafts} == {"3>2", "1>4"}
    assert {(edit.operator, edit.field, edit.gold) for draft in drafts for edit in draft.edits} == {
        ("relation_endpoint", "relations/0", "1>2")
    }
    assert apply(move_relation_end, line("ABC", [Relation(1, 2, "R")])) is None


def test_a_moved_end_joins_unrelated_records_and_symmetric_ends_stay_in_text_order():
    unit = line("AAA", [Relation(1, 2, "S"), Relation(1, 3, "R")])
    ends = {
        (draft.edits[0].gold, draft.edits[0].wrong)
        for draft in (apply(move_relation_end, unit, seed=seed) for seed in range(60))
    }
    # S: a head at 3 gives 3>2, in text order 2>3, which comes after R in the list; a tail at 3 repeats the ends of R
    # R: with its head at 2 it stays second in the list; a tail at 2 would repeat the ends of S
    assert ends == {("1>3", "2>3")}


def test_a_relation_changes_its_position_if_no_other_edit_is_possible():
    # the tail of S can only move to 4, after R(1, 3); no other error was counted
    unit = line("AABA", [Relation(1, 2, "S"), Relation(1, 3, "R")])
    tails = [Confusion("relation_endpoint", "S", "tail", 1, 0, 0, 0)]
    ((_, context),) = pairing_contexts([unit], ENTITIES, [(1.0, Proposals("empirical", 0.0, tails, [], ENTITIES))])
    draft = move_relation_end(gold_draft(unit), context, Random(0))
    assert rendered(draft)["relations"] == [
        {"head": 1, "label": "R", "tail": 3},
        {"head": 1, "label": "S", "tail": 4},
    ]


def test_deletions_prefer_records_without_relations_and_list_their_consequences():
    unit = line("AAA", [Relation(1, 2, "R"), Relation(2, 1, "Q")], [(1, 2, 3)])
    for seed in range(20):
        edits = [(edit.field, edit.gold, edit.wrong, edit.source) for edit in apply(delete_span, unit, seed=seed).edits]
        assert edits == [
            ("entities/2", '{"label":"A","span":"w"}', "", "uniform"),
            ("coreference/0", "[1,2,3]", "[1,2]", "consequence"),
        ]
    related = line("AA", [Relation(1, 2, "R"), Relation(2, 1, "Q")], [(1, 2)])
    edits = apply(delete_span, related).edits
    assert [(edit.operator, edit.field, edit.source) for edit in edits[1:]] == [
        ("delete", "relations/0", "consequence"),
        ("delete", "relations/1", "consequence"),
        ("coreference", "coreference/0", "consequence"),
    ]
    assert [edit.gold for edit in edits[1:3]] == ['{"head":1,"label":"R","tail":2}', '{"head":2,"label":"Q","tail":1}']
    assert edits[3].wrong == ""


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_edits_of_a_deletion_list_everything_that_is_lost(data, seed):
    unit = data.draw(units(ENTITIES))
    context, rng, draft = context_for(unit, ENTITIES), Random(seed), gold_draft(unit)
    while (deleted := delete_span(draft, context, rng)) is not None:
        related = {end for relation in draft.relations for end in (relation.head, relation.tail)}
        (gone,) = set(draft.spans) - set(deleted.spans)
        assert gone.id not in related or related >= {span.id for span in draft.free_spans()}
        draft = deleted
    assert draft.spans == () and draft.relations == ()
    listed = [edit.field for edit in draft.edits if edit.operator == "delete"]
    wanted = [f"entities/{place}" for place in range(len(unit.spans))]
    assert sorted(listed) == sorted([*wanted, *(f"relations/{place}" for place in range(len(unit.relations)))])


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_moved_end_changes_one_relation_and_keeps_its_position_if_possible(data, seed):
    unit = data.draw(units(ENTITIES))
    context, draft = context_for(unit, ENTITIES), gold_draft(unit)
    drafts = [move_relation_end(draft, context, Random(seed + number)) for number in range(10)]
    kept = []
    for moved in filter(None, drafts):
        (old,), (new,) = set(draft.relations) - set(moved.relations), set(moved.relations) - set(draft.relations)
        assert old.label == new.label and {old.head, old.tail} & {new.head, new.tail}
        before, after = (
            sorted(item.relations, key=lambda relation: (relation.head, relation.tail, relation.label))
            for item in (draft, moved)
        )
        kept.append(before.index(old) == after.index(new))
    assert len(set(kept)) <= 1  # all options keep the position, or none does


def test_a_symmetric_relation_joins_labels_in_either_order():
    gold = [line("BA", [Relation(1, 2, "S"), Relation(1, 2, "R")])]
    drafts = [apply(insert_relation, line("AB"), seed=seed, others=gold) for seed in range(60)]
    assert {(item.head, item.label, item.tail) for draft in drafts if draft for item in draft.relations} == {
        (1, "S", 2),
        (2, "R", 1),
    }


def test_links_are_moved_removed_and_added():
    # gold 1-3 and 2-4 are clusters, 5 is in none; every label is A
    unit = line("AAAAA", clusters=[(1, 3), (2, 4)])
    edits = {
        tuple((e.field, e.gold, e.wrong) for e in apply(change_link, unit, seed=seed).edits) for seed in range(200)
    }
    assert edits == {
        (("coreference/0", "[1,3]", ""),),  # 3 removed
        (("coreference/1", "[2,4]", ""),),  # 4 removed
        (("coreference/0", "[1,3]", ""), ("coreference/1", "[2,4]", "[2,3,4]")),  # 3 to 2
        (("coreference/1", "[2,4]", ""), ("coreference/0", "[1,3]", "[1,3,4]")),  # 4 to 1 or 3
        (("coreference/0", "[1,3]", "[1,3,5]"),),  # 5 added
        (("coreference/1", "[2,4]", "[2,4,5]"),),
    }
    answers = {json.dumps(rendered(apply(change_link, unit, seed=seed))["coreference"]) for seed in range(200)}
    assert answers == {
        "[[2, 4]]",
        "[[1, 3]]",
        "[[2, 3, 4]]",
        "[[1, 3, 4]]",
        "[[1, 3, 5], [2, 4]]",
        "[[1, 3], [2, 4, 5]]",
    }


def test_two_records_without_cluster_become_a_cluster():
    unit = line("AB", clusters=[])
    assert apply(change_link, unit) is None  # no gold link joins A and B
    draft = apply(change_link, unit, others=[line("AB", clusters=[(1, 2)])])
    assert rendered(draft)["coreference"] == [[1, 2]]
    assert draft.edits[0].field == "coreference/-"


def test_links_of_touched_records_are_left_alone():
    unit = line("AAA", clusters=[(1, 2, 3)])
    draft = apply(delete_span, unit)
    assert change_link(draft, context_for(unit, ENTITIES), Random(0)) is None


def test_related_records_get_no_further_relation():
    assert apply(insert_relation) is None


def test_later_edits_leave_touched_records_alone():
    draft = apply(reverse_relation)
    context = context_for(PLAIN, ENTITIES)
    for operator in (relabel, move_boundary, delete_span, relabel_relation, delete_relation, insert_relation):
        assert operator(draft, context, Random(0)) is None
    assert insert_span(draft, context, Random(0)) is not None


def test_pick_follows_the_weights():
    class Fixed:
        def __init__(self, value):
            self.value = value

        def random(self):
            return self.value

    options = [(0.0, "never"), (1.0, "a"), (3.0, "b"), (0.0, "never")]
    assert [pick(Fixed(value), options) for value in (0.0, 0.2499, 0.25, 0.999999999)] == ["a", "a", "b", "b"]
    assert pick(Fixed(0.5), [(0.0, "never")]) is None
    assert pick(Fixed(0.5), []) is None


DISTINCT = [f"w{number}" for number in range(12)]
RICH = unit_of(
    DISTINCT,
    [Span(number, label, None, *extents_of(DISTINCT, 2 * number - 2, 1)) for number, label in enumerate("ABABA", 1)],
    [Relation(1, 2, "R"), Relation(4, 3, "Q"), Relation(3, 5, "S")],
    [(1, 3, 5)],
)
RICHER = unit_of(
    DISTINCT, RICH.spans, [Relation(head, tail, label) for head, tail in ((3, 4), (2, 1)) for label in "RQ"], [(1, 2)]
)


@pytest.mark.parametrize("kind", [kind for kind in OPERATORS if kind != "sublabel"])
def test_an_error_is_counted_as_the_kind_it_was_drawn_for(kind):
    seen = set()
    for seed in range(80):
        draft = apply(OPERATORS[kind], RICH, seed=seed, others=[RICHER])
        prediction = read_answer(render(draft_answer(draft), "entities"), RICH, ENTITIES)
        rows, _ = count_confusions([RICH], [prediction], ENTITIES)
        wrong = {
            (row.kind, row.gold, row.predicted) for row in rows if row.predicted not in (row.gold, "exact", "kept")
        }
        errors = {(gold, predicted) for of, gold, predicted in wrong if of == kind}
        assert errors, draft.edits
        seen |= errors
    assert len(seen) > 1
