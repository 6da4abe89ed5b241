import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.parse import DAMAGES, damaged, real_answers
from tabpo.answers.json_faults import json_fault
from tabpo.answers.render import ANSWER_CLASSES, Answer, AnswerSpan, parse, render
from tabpo.records import Relation

GOOD = '{"entities":[{"id":1,"label":"Task","span":"parsing"}],"relations":[{"head":1,"label":"PART-OF","tail":2}]}'
RESULT = '{"results":[{"Code":"A","Sub-code":"None","Span":"rash"}]}'

TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
IDS = st.integers(min_value=0, max_value=999_999_999)


@st.composite
def entity_answers(draw, clusters):
    ids = draw(st.lists(IDS, unique=True, max_size=4))
    spans = tuple(AnswerSpan(number, draw(TEXTS), None, draw(TEXTS)) for number in ids)
    triples = sorted(draw(st.lists(st.tuples(IDS, IDS, TEXTS), max_size=4)))
    relations = tuple(Relation(head, tail, label) for head, tail, label in triples)
    groups = tuple(map(tuple, draw(st.lists(st.lists(IDS, max_size=3), max_size=3)))) if clusters else None
    return Answer(spans, relations, groups)


@given(st.booleans().flatmap(lambda clusters: st.tuples(st.just(clusters), entity_answers(clusters))))
def test_parse_reads_what_render_writes(case):
    clusters, answer = case
    parsed = parse(render(answer, "entities"), "entities", clusters=clusters)
    assert (parsed.answer_class, parsed.answer) == ("ok", answer)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=4))
def test_parse_reads_what_render_writes_for_results(items):
    answer = Answer(tuple(AnswerSpan(number, *item) for number, item in enumerate(items, start=1)))
    parsed = parse(render(answer, "results"), "results", clusters=False)
    assert (parsed.answer_class, parsed.answer) == ("ok", answer)


@given(st.text(st.characters(exclude_categories=())), st.sampled_from(["entities", "results"]), st.booleans())
def test_any_text_gets_a_class(text, answer_format, clusters):
    parsed = parse(text, answer_format, clusters=clusters)
    assert parsed.answer_class in ANSWER_CLASSES
    assert parsed.answer == Answer(()) or parsed.answer_class == "ok"


@given(st.integers(min_value=0), st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", "1", "\ud800", "\x00", "NaN"]))
def test_a_damaged_answer_gets_a_class_and_can_be_written(position, piece):
    text = GOOD[: position % len(GOOD)] + piece + GOOD[position % len(GOOD) + 1 :]
    parsed = parse(text, "entities", clusters=False)
    assert parsed.answer_class in ANSWER_CLASSES
    render(parsed.answer, "entities").encode()


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_every_beginning_of_an_answer_is_truncated(cut):
    assert parse(GOOD[:cut], "entities", clusters=False).answer_class == ("truncated" if cut else "empty")


@pytest.mark.parametrize(
    ("text", "answer_class"),
    [
        ("", "empty"),
        (" \n\t\u00a0", "empty"),
        ("{", "truncated"),
        ("The answer is", "not_json"),
        (f"```json\n{GOOD}\n```", "not_json"),
        (f"{GOOD} ", "ok"),
        (f"{GOOD} Done.", "not_json"),
        ("NaN", "not_json"),
        ('{"entities":[{"id":NaN,"label":"Task","span":"x"}],"relations":[]}', "not_json"),
        (GOOD.replace("parsing", "\\ud800"), "not_json"),
        (GOOD.replace("parsing", "\ud800"), "not_json"),
        (GOOD.replace("parsing", "\\ud83d\\ude00"), "ok"),
        ("[" * 2000 + "]" * 2000, "too_deep"),
        (GOOD.replace('"id":1', '"id":1,"id":1'), "duplicate_key"),
        (GOOD.replace('"id":1', '"id":1,"\\u0069d":1'), "duplicate_key"),
        ("null", "wrong_shape"),
        ("[]", "wrong_shape"),
        ("{}", "wrong_shape"),
        (RESULT, "wrong_shape"),
        ('{"entities":[],"relations":[]}', "ok"),
        ('{"relations":[],"entities":[]}', "ok"),
        ('{"entities":[],"relations":[],"coreference":[]}', "wrong_shape"),
        ('{"entities":[],"relations":[],"notes":[]}', "wrong_shape"),
        ('{"entities":{},"relations":[]}', "wrong_shape"),
        ('{"entities":null,"relations":[]}', "wrong_shape"),
        (GOOD.replace('"label":"Task",', ""), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":1,"score":1'), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":true'), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":1.0'), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":"1"'), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":1000000000'), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":' + "9" * 5000), "wrong_shape"),
        (GOOD.replace('"id":1', '"id":999999999'), "ok"),
        (GOOD.replace('"Task"', "null"), "wrong_shape"),
        (GOOD.replace('"parsing"', '["parsing"]'), "wrong_shape"),
        (GOOD.replace('"head":1', '"head":false'), "wrong_shape"),
        (GOOD.replace("}],", '},{"id":1,"label":"Task","span":"tagging"}],'), "wrong_shape"),
    ],
)
def test_class_of_an_entity_answer(text, answer_class):
    assert parse(text, "entities", clusters=False).answer_class == answer_class


@pytest.mark.parametrize(
    ("coreference", "answer_class"),
    [
        ("[]", "ok"),
        ("[[1,2],[]]", "ok"),
        ("[1]", "wrong_shape"),
        ("[[true]]", "wrong_shape"),
        ('[["1"]]', "wrong_shape"),
        ("[[[1]]]", "wrong_shape"),
    ],
)
def test_class_of_a_document_answer(coreference, answer_class):
    text = '{"entities":[],"relations":[],"coreference":' + coreference + "}"
    assert parse(text, "entities", clusters=True).answer_class == answer_class


def test_a_document_answer_needs_its_clusters():
    assert parse(GOOD, "entities", clusters=True).answer_class == "wrong_shape"


@pytest.mark.parametrize(
    ("text", "answer_class"),
    [
        (RESULT, "ok"),
        ('{"results":[]}', "ok"),
        (RESULT.replace('"None"', "null"), "wrong_shape"),
        (RESULT.replace("Sub-code", "Sub-Code"), "wrong_shape"),
        (GOOD, "wrong_shape"),
    ],
)
def test_class_of_a_result_answer(text, answer_class):
    assert parse(text, "results", clusters=False).answer_class == answer_class


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("text", "answer_class"),
    [
        ("1" * 10 * MILLION, "wrong_shape"),
        ('{"entities":[{"id":' + "1" * 10 * MILLION, "truncated"),
        ("1" * 10 * MILLION + "x", "not_json"),
        ('"' + "a" * 10 * MILLION, "truncated"),
        ('"' + "\\n" * MILLION, "truncated"),
        ('"' + "\\ud83d" * MILLION, "not_json"),
        ("[" * MILLION, "truncated"),
        ("[" * MILLION + "]" * MILLION, "too_deep"),
        ('{"a":' * (MILLION // 5), "truncated"),
        (" " * 10 * MILLION, "empty"),
        ("[" + " " * 10 * MILLION, "truncated"),
        (GOOD[:-1] + " " * 10 * MILLION + "x", "not_json"),
    ],
    ids=range(12),
)
def test_huge_answers_take_time_in_proportion(text, answer_class):
    start = time.perf_counter()
    assert parse(text, "entities", clusters=False).answer_class == answer_class
    assert time.perf_counter() - start < 20  # a second or two; quadratic time would be hours


def test_a_hundred_thousand_damaged_answers_get_a_class():
    _, answers = real_answers()
    classes = {name: Counter() for name in DAMAGES}
    for name, texts in damaged(answers, 100_000):
        classes[name].update(parse(text, "entities", clusters=False).answer_class for text in texts)
    assert sum(counts.total() for counts in classes.values()) == 100_000
    assert set().union(*classes.values()) <= set(ANSWER_CLASSES)
    assert set(classes["truncated"]) == {"truncated"}
    assert set(classes["wrong_type"]) == {"wrong_shape"}
    assert set(classes["wrong_key"]) == {"wrong_shape", "duplicate_key"}
    assert set(classes["prose"]) == set(classes["fence"]) == set(classes["doubled"]) == {"not_json"}


@given(
    st.sampled_from(['{"entities":[],"relations":[]}', "{}", ' {"a":[1.5]}', "[1]", "1", "-0", "true", "null", '"a"']),
    st.text('{}[]",:.e+-1a \n\u00a0', max_size=4),
)
def test_what_follows_a_value_is_classed_as_a_whole(value, rest):
    """A text after a value is classified like the whole text: `1.` is truncated, `{}x` is not JSON."""
    answer_class = parse(value + rest, "entities", clusters=False).answer_class
    assert answer_class == (json_fault(value + rest) or answer_class)
    assert json_fault(value + rest) or answer_class in ("wrong_shape", "ok")


def test_rendering_is_compact_and_keeps_letters():
    answer = Answer((AnswerSpan(1, "Tâche", None, 'a "b"\n'),), (Relation(1, 1, "B"), Relation(1, 1, "A")), ((1,),))
    text = render(answer, "entities")
    assert text == (
        '{"entities":[{"id":1,"label":"Tâche","span":"a \\"b\\"\\n"}],'
        '"relations":[{"head":1,"label":"A","tail":1},{"head":1,"label":"B","tail":1}],"coreference":[[1]]}'
    )
    assert json.loads(text)["coreference"] == [[1]]
