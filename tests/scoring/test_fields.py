"""Fields are determined by positions in the JSON, whatever text the values contain."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tabpo.answers.render import Answer, AnswerSpan, render
from tabpo.losses import TokenField
from tabpo.records import Relation
from tabpo.scoring.fields import record_labels, token_fields, value_ranges

S, LABEL, SUB, SPAN, LINK, ID = (
    TokenField.SCAFFOLDING,
    TokenField.LABEL,
    TokenField.SUBLABEL,
    TokenField.SPAN,
    TokenField.LINK,
    TokenField.ID,
)


def named_values(answer: str) -> list[tuple[str, TokenField]]:
    return [(answer[start:end], field) for start, end, field in value_ranges(answer)]


def labelled_records(answer: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(answer[start:end], label) for start, end, label in record_labels(answer)]


def test_records_and_their_labels():
    spans = (AnswerSpan(1, "Task", None, 'a "}" {"id":7,'), AnswerSpan(2, "Method", None, "b"))
    answer = render(Answer(spans=spans, relations=(Relation(2, 1, "USED-FOR"),), clusters=((1, 2),)), "entities")
    assert labelled_records(answer) == [
        (r'{"id":1,"label":"Task","span":"a \"}\" {\"id\":7,"}', ("Task",)),
        ('{"id":2,"label":"Method","span":"b"}', ("Method",)),
        ('{"head":2,"label":"USED-FOR","tail":1}', ("USED-FOR",)),
    ]
    medical = render(Answer(spans=(AnswerSpan(1, "Drug", "Dose", "5 mg"),)), "results")
    assert labelled_records(medical) == [('{"Code":"Drug","Sub-code":"Dose","Span":"5 mg"}', ("Drug", "Dose"))]
    assert record_labels(render(Answer(spans=()), "entities")) == []


def test_entities_with_coreference():
    answer = render(
        Answer(
            spans=(AnswerSpan(1, "Task", None, "the Task label 1"), AnswerSpan(2, "Method", None, 'a "b" {2}')),
            relations=(Relation(1, 2, "USED-FOR"),),
            clusters=((1, 2),),
        ),
        "entities",
    )
    assert named_values(answer) == [
        ("1", ID),
        ("Task", LABEL),
        ("the Task label 1", SPAN),
        ("2", ID),
        ("Method", LABEL),
        ('a \\"b\\" {2}', SPAN),
        ("1", LINK),
        ("USED-FOR", LABEL),
        ("2", LINK),
        ("1", LINK),
        ("2", LINK),
    ]


def test_results():
    answer = render(Answer(spans=(AnswerSpan(1, "SDOH", "None", "Span: no car"),)), "results")
    assert named_values(answer) == [("SDOH", LABEL), ("None", SUB), ("Span: no car", SPAN)]


def test_empty_answers_are_scaffolding():
    assert value_ranges(render(Answer(spans=()), "entities")) == []
    assert value_ranges(render(Answer(spans=(), clusters=()), "entities")) == []
    assert value_ranges(render(Answer(spans=()), "results")) == []


def test_a_token_gets_the_field_of_the_first_value_it_overlaps():
    answer = '{"results":[{"Code":"AB","Sub-code":"C","Span":"d e"}]}'
    code = answer.index("AB")
    sub = answer.index('"C"') + 1
    offsets = [
        (0, code),  # ends where the value starts
        (code - 1, code + 1),  # opening quote and A
        (code + 1, code + 1 + len('B","Sub')),  # B and what follows
        (sub - 1, sub),  # a quote alone
        (sub, len(answer) - 5),  # C up to and with the span
        (len(answer) - 4, len(answer)),  # after the last value
    ]
    assert token_fields(answer, offsets) == (S, LABEL, LABEL, S, SUB, S)


texts = st.text(st.sampled_from('ab "\\{}[]:,1é🙂\n') | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(
    spans=st.lists(st.tuples(texts, texts), max_size=4),
    relations=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99), texts), max_size=3, unique=True),
    clusters=st.none() | st.lists(st.lists(st.integers(1, 99), min_size=1), max_size=2),
)
def test_any_values_are_found_where_they_are(spans, relations, clusters):
    answer = render(
        Answer(
            spans=tuple(AnswerSpan(n, label, None, text) for n, (label, text) in enumerate(spans, start=1)),
            relations=tuple(Relation(*relation) for relation in relations),
            clusters=None if clusters is None else tuple(map(tuple, clusters)),
        ),
        "entities",
    )
    content = json.loads(answer)
    expected = [
        (value, field)
        for entity in content["entities"]
        for value, field in ((entity["id"], ID), (entity["label"], LABEL), (entity["span"], SPAN))
    ]
    expected += [
        (value, field)
        for relation in content["relations"]
        for value, field in ((relation["head"], LINK), (relation["label"], LABEL), (relation["tail"], LINK))
    ]
    expected += [(number, LINK) for cluster in content.get("coreference", []) for number in cluster]
    values = [(json.loads(text if field in (ID, LINK) else f'"{text}"'), field) for text, field in named_values(answer)]
    assert values == expected
    # character by character: the characters of a value have its field, all others are scaffolding
    fields = token_fields(answer, [(at, at + 1) for at in range(len(answer))])
    ranges = value_ranges(answer)
    assert sum(field != S for field in fields) == sum(end - start for start, end, _ in ranges)
    assert all(set(fields[start:end]) == {field} for start, end, field in ranges)


@given(st.text())
def test_free_text_has_no_fields(text):
    offsets = [(place, place + 1) for place in range(len(text))]
    assert set(token_fields(text, offsets)) <= {S}


def test_free_text_that_resembles_an_answer_has_no_fields():
    for text in ('{"label": "Task"}', 'He said: "label":"Task"', '[{"Code":"A"}]'):
        assert set(token_fields(text, [(place, place + 1) for place in range(len(text))])) == {S}
    assert token_fields('{"entities":[{"other":"x"}]}', [(22, 23)]) == (S,)  # a key that answers do not have
