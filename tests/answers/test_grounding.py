from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.answers.grounding import ITEM_CLASSES, ground, read_answer, read_completions, read_in_order
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import Answer, AnswerSpan, gold_answer, render
from tabpo.answers.units import document_units
from tabpo.errors import DataError
from tabpo.records import Completion, Document, Relation, Span

SCIENCE = Ontology(
    "entities",
    {"Task": Label("", {}), "Method": Label("", {})},
    {"USED-FOR": RelationType("", False), "COMPARE": RelationType("", True)},
)
MEDICINE = Ontology(
    "results",
    {"Effect": Label("", {"None": ""}), "Drug": Label("", {"None": "", "Dose": ""})},
    {},
)


def document(text, spans=(), sentences=None, doc_id="d"):
    tokens = tuple(text.split())
    return Document(doc_id, None, text, tokens, sentences or ((0, len(tokens)),), tuple(spans))


def unit_of(text, spans=()):
    return document_units(document(text, spans), "document")[0]


def entities(*items):
    return tuple(AnswerSpan(number, label, None, text) for number, (label, text) in enumerate(items, start=1))


def results(*items):
    return tuple(AnswerSpan(number, *item) for number, item in enumerate(items, start=1))


def places(text, spans, ontology):
    spans_read, _, _ = ground(Answer(spans), unit_of(text), ontology)
    return [(span.start, span.end, span.item_class) for span in spans_read]


def starts_in_order(text, spans, ontology):
    unit = document_units(document(text), "sentence")[0]
    spans_read = read_in_order(render(Answer(spans), ontology.answer), unit, ontology).spans
    return [(span.start, span.item_class) for span in spans_read]


def test_in_order_an_occurrence_lies_behind_the_item_before():
    # it (0-2) runs (3-7) , (8) it (10-12) sees (13-17) it (18-20)
    text = "it runs , it sees it"
    items = [("Task", "runs"), ("Task", "it"), ("Task", "IT"), ("Task", "it"), ("Task", "it"), ("Task", "sees")]
    # two occurrences are after "runs", then the one before it is free; none is left for "IT", which is placed last
    assert starts_in_order(text, entities(*items), SCIENCE) == [
        *((3, "ok"), (10, "ok"), (0, "duplicate")),
        *((18, "ok"), (0, "ok"), (13, "ok")),
    ]


def test_in_order_one_place_may_have_several_codes():
    spans = results(*[("Drug", "None", "x"), ("Drug", "Dose", "x")] * 2)
    assert starts_in_order("x or x", spans, MEDICINE) == [(0, "ok"), (0, "ok"), (5, "ok"), (5, "ok")]


def test_occurrences_are_taken_from_left_to_right_in_answer_order():
    # a parser (0-8), a tagger (9-17), a parser (18-26)
    spans = entities(("Task", "parser"), ("Method", "parser"), ("Task", "tagger"), ("Task", "parser"))
    assert places("a parser a tagger a parser", spans, SCIENCE) == [
        (2, 8, "ok"),
        (20, 26, "ok"),  # the first occurrence is taken, whatever the label
        (11, 17, "ok"),
        (2, 8, "duplicate"),
    ]


def test_medical_occurrences_are_taken_by_code_and_sub_code():
    spans = results(("Drug", "None", "x"), ("Drug", "Dose", "x"), ("Drug", "None", "x"), ("Drug", "None", "x"))
    assert places("x or x", spans, MEDICINE) == [(0, 1, "ok"), (0, 1, "ok"), (5, 6, "ok"), (0, 1, "duplicate")]


def test_entities_are_whole_tokens():
    spans = entities(("Task", "art"), ("Task", "of-the-art"), ("Task", "the-art net"), ("Task", "net work"))
    assert [item_class for *_, item_class in places("state-of-the-art net work", spans, SCIENCE)] == [
        *("span_not_in_text",) * 3,
        "ok",
    ]


def test_medical_spans_prefer_whole_words_and_may_cut_them():
    text = "crash, rash; rashes"  # 0-5, 7-11, 13-19
    spans = results(*(("Effect", "None", "rash"),) * 4)
    assert places(text, spans, MEDICINE) == [(7, 11, "ok"), (1, 5, "ok"), (13, 17, "ok"), (7, 11, "duplicate")]


def test_overlapping_occurrences_are_different_ones():
    spans = entities(("Task", "a a"), ("Task", "a a"))
    assert places("a a a", spans, SCIENCE) == [(0, 3, "ok"), (2, 5, "ok")]


@pytest.mark.parametrize(
    ("text", "span", "place"),
    [
        ("parsing -LRB- HPSG -RRB- works", "parsing (HPSG)", (0, 24)),
        ("parsing -LRB- HPSG -RRB- works", "( HPSG )", (8, 24)),
        ("parsing -LRB- HPSG -RRB- works", "(HPSG)", (8, 24)),
        ("a -LSB- 3 -RSB- b", "[3]", (2, 15)),
        ("so-called `` rules '' apply", '"rules"', (10, 21)),
        ("so-called `` rules '' apply", "“rules”", (10, 21)),
        ("the user 's model", "user’s model", (4, 17)),
        ("the user 's model", "user 's  model", (4, 17)),
        ("the user 's model", " model ", (12, 17)),
        ("the user 's model", "The User's MODEL", (0, 17)),
        ("straße und Weg", "STRASSE", (0, 6)),
    ],
)
def test_levelled_and_folded_spans_are_flagged_and_placed(text, span, place):
    assert places(text, entities(("Task", span)), SCIENCE) == [(*place, "normalised_span")]


def test_levelling_never_cuts_words():
    assert places("a rash", results(("Effect", "None", "arash")), MEDICINE) == [(0, 6, "normalised_span")]
    assert places("a rash", results(("Effect", "None", "Ras")), MEDICINE) == [(None, None, "span_not_in_text")]
    assert places("stra ße", entities(("Task", "stras")), SCIENCE) == [(None, None, "span_not_in_text")]


def test_verbatim_items_come_before_levelled_ones():
    # "Model" occurs nowhere verbatim, so the second item is placed first
    spans = entities(("Task", "MODEL"), ("Task", "model"), ("Task", "MODEL"))
    assert places("a model , the Model", spans, SCIENCE) == [
        (14, 19, "normalised_span"),
        (2, 7, "ok"),
        (2, 7, "duplicate"),
    ]


def test_item_classes_of_spans():
    spans = results(
        ("Sign", "None", "rash"),
        ("Sign", "None", "fever"),
        ("Drug", "Colour", "rash"),
        ("Effect", "Dose", "rash"),
        ("Effect", "None", " "),
        ("Effect", "None", "fever"),
        ("Effect", "None", "RASH"),
        ("Effect", "None", "rash"),
    )
    assert places("a rash", spans, MEDICINE) == [
        (2, 6, "unknown_label"),
        (None, None, "unknown_label"),
        (2, 6, "unknown_label"),
        (2, 6, "invalid_pair"),
        (None, None, "empty_span"),
        (None, None, "span_not_in_text"),
        (2, 6, "duplicate"),
        (2, 6, "ok"),
    ]


def test_item_classes_of_relations():
    unit = unit_of("a b c")
    spans = entities(("Task", "a"), ("Task", "b"), ("Task", "z"), ("Method", "a"))
    pairs = [
        (1, 2, "USED-FOR", "ok"),
        (2, 1, "USED-FOR", "ok"),
        (1, 2, "COMPARE", "ok"),
        (1, 9, "LIKES", "unknown_label"),
        (1, 9, "USED-FOR", "dangling_relation"),
        (3, 1, "USED-FOR", "dangling_relation"),
        (3, 3, "USED-FOR", "dangling_relation"),
        (1, 1, "USED-FOR", "self_relation"),
        (1, 4, "USED-FOR", "self_relation"),  # 4 repeats 1
        (4, 2, "USED-FOR", "duplicate"),
    ]
    answer = Answer(spans, tuple(Relation(head, tail, label) for head, tail, label, _ in pairs))
    _, relations, _ = ground(answer, unit, SCIENCE)
    assert [relation.item_class for relation in relations] == [item_class for *_, item_class in pairs]


def test_offsets_are_those_of_the_document():
    # sentences "a b ." and "b c .", the second from character 6
    text = document("a b . b c .", sentences=((0, 3), (3, 6)))
    second = document_units(text, "sentence")[1]
    prediction = read_answer('{"entities":[{"id":7,"label":"Task","span":"b"}],"relations":[]}', second, SCIENCE)
    assert (prediction.spans[0].start, prediction.spans[0].end) == (6, 7)
    assert prediction.prompt_id == "d#1"


def test_documents_have_clusters_and_sentences_none():
    text = document("a b", [Span(1, "Task", None, 0, 1)])
    answer = '{"entities":[{"id":1,"label":"Task","span":"a"}],"relations":[],"coreference":[[1,5]]}'
    whole, sentence = document_units(text, "document")[0], document_units(text, "sentence")[0]
    assert read_answer(answer, whole, SCIENCE).clusters == ((1, 5),)
    assert read_answer(answer, sentence, SCIENCE).answer_class == "wrong_shape"


def test_unreadable_answers_are_empty():
    prediction = read_answer('{"entities":[', unit_of("a"), SCIENCE)
    assert (prediction.answer_class, prediction.spans, prediction.relations) == ("truncated", (), ())


def test_completions_must_answer_the_prompts_one_by_one():
    units = [unit_of("a")]
    done = Completion("d", "x", 1, True)
    assert len(read_completions([done], units, SCIENCE, "c.parquet")) == 1
    for completions in ([], [done, done], [Completion("e", "x", 1, True)]):
        with pytest.raises(DataError, match=r"c\.parquet: \d completions do not answer the 1 prompts"):
            read_completions(completions, units, SCIENCE, "c.parquet")


LETTERS = st.text(alphabet="ab -LRB()Aß'\"`", max_size=12)


@given(st.lists(st.text("ab-LRB()Aß'", min_size=1, max_size=5), min_size=1), st.lists(st.tuples(LETTERS, LETTERS)))
def test_any_answer_can_be_placed_and_found_spans_are_in_the_text(tokens, items):
    text = " ".join(tokens)
    grounded = ground(Answer(entities(*items)), unit_of(text), SCIENCE)[0]
    grounded += ground(Answer(results(*(("Drug", "Dose", span) for _, span in items))), unit_of(text), MEDICINE)[0]
    for span in grounded:
        assert span.item_class in ITEM_CLASSES
        if span.item_class == "ok":
            assert text[span.start : span.end] == span.text
        if span.start is not None:
            assert 0 <= span.start < span.end <= len(text)


@st.composite
def units_with_unique_mentions(draw):
    words = [f"w{number}" for number in range(draw(st.integers(min_value=1, max_value=9)))]
    starts = [len(" ".join(words[:number])) + bool(number) for number in range(len(words))]
    ranges = draw(st.sets(st.tuples(st.sampled_from(range(len(words))), st.integers(min_value=1, max_value=3))))
    offsets = {(starts[first], starts[min(first + n, len(words)) - 1] + 2) for first, n in ranges}
    labels = st.sampled_from(["Task", "Method"])
    return unit_of(
        " ".join(words),
        [Span(number, draw(labels), None, *place) for number, place in enumerate(sorted(offsets), start=1)],
    )


@given(units_with_unique_mentions())
def test_gold_that_can_be_told_apart_returns_to_its_place(unit):
    prediction = read_answer(render(gold_answer(unit), "entities"), unit, SCIENCE)
    rows = [(span.id, span.label, span.start, span.end, span.item_class) for span in prediction.spans]
    assert rows == [(span.id, span.label, span.start, span.end, "ok") for span in unit.spans]


def test_a_span_with_two_labels_has_one_place_where_the_ontology_allows_it():
    # net (2-5) and a second net (8-11)
    text, spans = "a net a net", entities(("Task", "net"), ("Method", "net"), ("Task", "net"))
    assert places(text, spans, SCIENCE) == [(2, 5, "ok"), (8, 11, "ok"), (2, 5, "duplicate")]
    assert places(text, spans, replace(SCIENCE, several_labels=True)) == [(2, 5, "ok"), (2, 5, "ok"), (8, 11, "ok")]
