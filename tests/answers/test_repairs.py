import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.answers.render import parse
from tabpo.answers.repairs import REPAIRS, repair

ONE, TWO = (f'{{"id":{number},"label":"Task","span":"par{{s[ing"}}' for number in (1, 2))
LINK = '{"head":1,"label":"PART-OF","tail":2}'
GOOD = f'{{"entities":[{ONE},{TWO}],"relations":[{LINK}]}}'
EMPTY = '{"entities":[],"relations":[]}'
RESULT = '{"Code":"A","Sub-code":"None","Span":"a \\"rash\\""}'
RESULTS = f'{{"results":[{RESULT},{RESULT}]}}'


def counted(text, answer_format="entities", clusters=False):
    """The repair, and the numbers of spans and relations that were read."""
    done, parsed = repair(text, answer_format, clusters=clusters)
    assert done in REPAIRS
    assert (done == "unrepaired") == (parsed.answer_class != "ok")
    return done, len(parsed.answer.spans), len(parsed.answer.relations)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, ("none", 2, 1)),
        (f"```json\n{GOOD}\n```", ("code_fence", 2, 1)),
        (f"Here it is:\n```\n{GOOD}\n```\nDone {{}}.", ("code_fence", 2, 1)),
        (f"```json\n{GOOD}", ("code_fence", 2, 1)),  # a fence that does not end
        (f"{GOOD}\nI hope that this helps.", ("prose", 2, 1)),
        (f"{GOOD}{GOOD}", ("prose", 2, 1)),  # the model went on
        (f"The answer is {GOOD}", ("prose", 2, 1)),
        (f"```json\nHere: {GOOD} ok\n```", ("prose", 2, 1)),
        (GOOD[:-1], ("cut", 2, 1)),
        (GOOD[:-2], ("cut", 2, 1)),
        (GOOD[:-3], ("cut", 2, 0)),
        (GOOD[: GOOD.index("relations") - 1], ("cut", 2, 0)),
        (GOOD[: GOOD.index(TWO) + 40], ("cut", 1, 0)),  # inside a string
        (f"```json\n{GOOD[:-3]}\n```", ("cut", 2, 0)),
        (GOOD[: GOOD.index(ONE) + 10], ("unrepaired", 0, 0)),  # no record is whole
        ('{"entities":[', ("unrepaired", 0, 0)),
        ("", ("unrepaired", 0, 0)),
        ("There are none.", ("unrepaired", 0, 0)),
        ("} {", ("unrepaired", 0, 0)),
        ("{]", ("unrepaired", 0, 0)),
        (GOOD.replace('"id":1', '"id":"1"'), ("unrepaired", 0, 0)),  # a record is not changed
        (GOOD.replace('"id":1', '"id":2'), ("unrepaired", 0, 0)),
        (GOOD.replace("relations", "links"), ("unrepaired", 0, 0)),
        (f"{GOOD[:-1]} and so on", ("cut", 2, 1)),
        (f"<think>\nFirst {EMPTY}, but parsing is a task.\n</think>\n{GOOD}", ("thoughts", 2, 1)),
        (f"{EMPTY} is too little.</think>{GOOD}", ("thoughts", 2, 1)),  # the chat template has opened the thoughts
        (f"<think>Perhaps {EMPTY}</think>\n```json\n{GOOD}\n```", ("code_fence", 2, 1)),
        (f"<think>Perhaps {EMPTY}</think>\n{GOOD[:-3]}", ("cut", 2, 0)),
        (f"<think>\nPerhaps {GOOD} or", ("unrepaired", 0, 0)),  # thoughts that do not end
        (f"<think>No.</think>{EMPTY}<think>Or rather {GOOD}", ("unrepaired", 0, 0)),
        (f"Draft: {EMPTY} Final: {GOOD}", ("prose", 2, 1)),  # the last object of the shape counts
        (f"```json\n{EMPTY}\n```\nCorrected:\n```json\n{GOOD}\n```", ("code_fence", 2, 1)),
        (f"```json\n{EMPTY}\n```\nNo: {GOOD}", ("prose", 2, 1)),
        (f'{GOOD} in the format {{"id": 1}}', ("prose", 2, 1)),  # an object of another shape does not count
        (f'The set {{a, "b" of 5" gives {GOOD}', ("prose", 2, 1)),  # stray braces and quotes do not count
        # the object is closed but has no relations, so it is not repaired
        (f'{{"entities":[{ONE},{TWO}]}}', ("unrepaired", 0, 0)),
    ],
)
def test_repairs_of_entities(text, expected):
    assert counted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RESULTS, ("none", 2, 0)),
        (RESULTS[:-1], ("cut", 2, 0)),
        (RESULTS[:-3], ("cut", 1, 0)),
        (f"Sure. {RESULTS}", ("prose", 2, 0)),
        (GOOD, ("unrepaired", 0, 0)),
    ],
)
def test_repairs_of_results(text, expected):
    assert counted(text, "results") == expected


def test_clusters_that_are_cut():
    text = GOOD[:-1] + ',"coreference":[[1,2],[1'
    assert counted(text, clusters=True) == ("cut", 2, 1)
    assert repair(text, "entities", clusters=True)[1].answer.clusters == ((1, 2),)
    assert repair(GOOD[:-3], "entities", clusters=True)[1].answer.clusters == ()


@given(st.integers(min_value=0, max_value=len(GOOD)))
def test_every_beginning_keeps_its_whole_records(cut):
    text = GOOD[:cut]
    done, spans, relations = counted(text)
    assert (spans, relations) == (sum(record in text for record in (ONE, TWO)), LINK in text)
    assert (done == "unrepaired") == (ONE not in text)


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from('{}[]"\\,:`'), max_size=30), st.booleans())
def test_any_text_can_be_repaired_or_not(text, clusters):
    counted(text, "entities", clusters)
    counted(text, "results")
    counted(GOOD[:-20] + text, "entities", clusters)


MANY = 200_000


@pytest.mark.parametrize(
    "text",
    [
        *("{" * MANY, "[" * MANY, '{"a":[' * MANY, '"' * MANY, '{"' + "\\" * MANY, "```" * MANY, "`" * MANY),
        *('{"entities":[' + "{}," * MANY, '{"entities":[{"id":' + "1" * MANY, GOOD + "{" * MANY),
        *('{"entities":[' * MANY, '```json {"entities":[' * MANY, "<think></think>" * MANY),
    ],
    ids=range(13),
)
def test_huge_answers_take_time_in_proportion(text):
    start = time.perf_counter()
    counted(text)
    assert time.perf_counter() - start < 20  # a second or two; quadratic time would be an hour


def test_what_is_repaired_is_what_strict_parsing_would_have_read():
    assert repair(f"So: {GOOD}", "entities", clusters=False)[1] == parse(GOOD, "entities", clusters=False)
    assert json.loads(GOOD)["entities"][0]["span"] == "par{s[ing"
