"""Pairs from a model's own answers: their edits, their repairs, and the answers that make no pair."""

import json

import pytest

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.errors import DataError
from tabpo.pairs.draw import Pairing
from tabpo.pairs.on_policy import on_policy_pairs
from tabpo.records import Document, Relation, Span

ENTITIES = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in ("Method", "Task")},
    relations={"USED-FOR": RelationType("", symmetric=False), "COMPARE": RelationType("", symmetric=True)},
)
RESULTS = Ontology(answer="results", labels={"X": Label("", {"a": "", "b": ""})}, relations={})
WORDS = ("nets", "parse", "texts", "and", "nets")


def unit_of(spans, relations=(), clusters=(), unit="sentence", words=WORDS):
    """Spans as (word number, label, sub-label)."""
    text = " ".join(words)
    starts = [len(" ".join([*words[:number], ""])) for number in range(len(words))]
    marked = [
        Span(number, label, sublabel, starts[word], starts[word] + len(words[word]))
        for number, (word, label, sublabel) in enumerate(spans, start=1)
    ]
    document = Document("d", None, text, words, ((0, 5),), tuple(marked), tuple(relations), tuple(clusters))
    return document_units(document, unit)[0]


GOLD = unit_of([(0, "Method", None), (2, "Task", None)], [Relation(1, 2, "USED-FOR")])


def answer(entities, relations=(), **more):
    content = {
        "entities": [{"id": number, "label": label, "span": span} for number, label, span in entities],
        "relations": [{"head": head, "label": label, "tail": tail} for head, label, tail in relations],
    }
    return json.dumps(content | more)


def draw(answer_text, unit=GOLD, ontology=ENTITIES, flip_rate=0.0, limit=1000):
    predictions = [read_answer(answer_text, unit, ontology)]
    pairing = Pairing("own", 1, 1, flip_rate, 1, limit)
    return on_policy_pairs([unit], predictions, pairing, ontology, lambda text: [ord(letter) for letter in text])


def pair(*arguments, **changes):
    [drawn], tally = draw(*arguments, **changes)
    return drawn, tally


def edits(drawn):
    return [(edit.operator, edit.field, edit.gold, edit.wrong) for edit in drawn.edits]


def test_a_wrong_answer_is_rendered_as_gold_is():
    # ids, order and white space differ too, but only the difference of the label remains
    text = answer([(9, "Task", "texts"), (4, "Task", "nets")], [(4, "USED-FOR", 9)])
    drawn, tally = pair(text)
    assert drawn.pair_id == "d#0/0"
    assert drawn.chosen == render(gold_answer(GOLD), "entities")
    assert drawn.rejected == drawn.chosen.replace("Method", "Task")
    assert edits(drawn) == [("label", "entities/0/label", "Method", "Task")]
    assert {edit.source for edit in drawn.edits} == {"on_policy"}
    assert (drawn.token_edit_distance, tally.repaired) == (6, 0)


def test_superfluous_and_missing_records():
    drawn, _ = pair(answer([(1, "Method", "nets"), (2, "Method", "parse")], [(2, "USED-FOR", 1)]))
    assert edits(drawn) == [
        ("delete", "entities/1", '{"id":2,"label":"Task","span":"texts"}', ""),
        ("insert", "entities/-", "", '{"id":2,"label":"Method","span":"parse"}'),
        ("delete", "relations/0", '{"head":1,"label":"USED-FOR","tail":2}', ""),
        ("insert", "relations/-", "", '{"head":2,"label":"USED-FOR","tail":1}'),
    ]
    drawn, _ = pair(answer([(1, "Method", "nets"), (2, "Task", "texts")], [(1, "COMPARE", 2)]))
    assert edits(drawn) == [("relation_label", "relations/0/label", "USED-FOR", "COMPARE")]


def test_invalid_items_are_left_out():
    text = answer(
        [(1, "Method", "nets"), (2, "Task", "texts"), (3, "Tsk", "parse"), (4, "Task", "trees")],
        [(1, "USED-FOR", 3), (2, "USED-FOR", 2)],
    )
    drawn, tally = pair(text)
    assert drawn.rejected == answer([(1, "Method", "nets"), (2, "Task", "texts")]).replace(" ", "")
    assert tally.repaired == 1
    with pytest.raises(DataError, match=r"none of 1 answers makes a pair: equal"):
        draw(answer([(1, "Method", "nets"), (2, "Task", "texts"), (3, "Tsk", "parse")], [(1, "USED-FOR", 2)]))


LINK = [(1, "USED-FOR", 2)]


@pytest.mark.parametrize(
    ("text", "limit", "reason"),
    [
        (answer([(1, "Method", "nets"), (2, "Task", "texts")], LINK), 1000, "equal"),
        ('{"entities":[', 1000, "unreadable"),
        (answer([(1, "Method", "nets")]), 40, "gold over max_completion_tokens"),
        (
            answer([(1, "Method", "nets"), (2, "Task", "texts"), (3, "Task", "parse")], LINK),
            160,
            "over max_completion_tokens",
        ),
    ],
)
def test_answers_that_make_no_pair(text, limit, reason):
    with pytest.raises(DataError, match=f"makes a pair: {reason}$"):
        draw(text, limit=limit)


def test_a_symmetric_relation_the_other_way_round_is_right():
    unit = unit_of([(0, "Method", None), (2, "Task", None)], [Relation(2, 1, "COMPARE")])
    with pytest.raises(DataError, match=r"makes a pair: equal$"):
        draw(answer([(1, "Method", "nets"), (2, "Task", "texts")], [(1, "COMPARE", 2)]), unit)


def test_a_text_that_occurs_twice_is_no_difference():
    # the second "nets" is annotated; an answer cannot say which "nets" it means
    unit = unit_of([(4, "Method", None)])
    with pytest.raises(DataError, match=r"makes a pair: equal$"):
        draw(answer([(1, "Method", "nets")]), unit)
    drawn, _ = pair(answer([(1, "Task", "nets")]), unit)
    assert edits(drawn) == [("label", "entities/0/label", "Method", "Task")]


def test_a_text_that_occurs_twice_stands_where_gold_has_it():
    # gold has "texts", then the second "nets"; grounding finds the first "nets", which comes before "texts"
    unit = unit_of([(2, "Task", None), (4, "Method", None)], [Relation(2, 1, "USED-FOR")])
    with pytest.raises(DataError, match=r"makes a pair: equal$"):
        draw(answer([(1, "Task", "texts"), (2, "Method", "nets")], [(2, "USED-FOR", 1)]), unit)
    drawn, _ = pair(answer([(1, "Task", "texts"), (2, "Task", "nets")], [(2, "USED-FOR", 1)]), unit)
    assert drawn.rejected == drawn.chosen.replace("Method", "Task")
    assert [edit.operator for edit in drawn.edits] == ["label"]


def test_the_order_of_an_answer_says_which_of_several_occurrences_is_meant():
    # "nets" is annotated only after "parse"; leftmost placing would put the first of the answer's two before it
    words = ("nets", "parse", "nets", "and", "nets")
    spans = [(1, "Task", None), (2, "Method", None), (4, "Method", None)]
    unit = unit_of(spans, [Relation(2, 1, "USED-FOR")], words=words)
    with pytest.raises(DataError, match=r"makes a pair: equal$"):
        draw(render(gold_answer(unit), "entities"), unit)


def test_sub_codes():
    unit = unit_of([(0, "X", "a"), (0, "X", "b"), (2, "X", "a")])
    records = [{"Code": "X", "Sub-code": "a", "Span": "nets"}, {"Code": "X", "Sub-code": "b", "Span": "texts"}]
    drawn, _ = pair(json.dumps({"results": records}), unit, RESULTS)
    assert edits(drawn) == [
        ("sublabel", "results/2/Sub-code", "a", "b"),
        ("delete", "results/1", '{"Code":"X","Sub-code":"b","Span":"nets"}', ""),
    ]


def test_clusters():
    unit = unit_of([(0, "Method", None), (2, "Task", None), (4, "Method", None)], clusters=[(1, 3)], unit="document")
    entities = [(1, "Method", "nets"), (2, "Task", "texts"), (3, "Method", "nets")]
    drawn, _ = pair(answer(entities, coreference=[[2, 3], [3, 1], [7, 1]]), unit)
    assert json.loads(drawn.rejected)["coreference"] == [[2, 3]]  # a mention is in one cluster only
    assert edits(drawn) == [
        ("coreference", "coreference/0", "[1,3]", ""),
        ("coreference", "coreference/-", "", "[2,3]"),
    ]


def test_flipped_pairs():
    text = answer([(1, "Task", "nets")])
    plain, _ = pair(text)
    flipped = [pair(text, flip_rate=rate)[0] for rate in (0.1, 0.5)]
    for drawn in flipped:
        assert {drawn.chosen, drawn.rejected} == {plain.chosen, plain.rejected}
        assert drawn.edits == plain.edits


def test_predictions_must_be_in_the_order_of_the_prompts():
    with pytest.raises(DataError, match="1 predictions do not answer the 2 prompts one by one"):
        on_policy_pairs([GOLD, GOLD], [read_answer("", GOLD, ENTITIES)], Pairing("own", 1, 1, 0, 1, 9), ENTITIES, list)
