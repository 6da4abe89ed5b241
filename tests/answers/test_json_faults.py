import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabpo.answers.json_faults import MAX_DEPTH, json_fault

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def refuse(literal):
    raise ValueError(literal)


def is_json(text):
    """RFC 8259 by the standard library, without its two extensions: NaN, and strings that UTF-8 cannot hold."""
    try:
        json.dumps(json.loads(text, parse_constant=refuse), ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


TOKENS = ("true", "false", "null", '"\\n', '"\\u0000', '"\\ud800\\udc00')
FILLINGS = ["0", ":0", '"":0'] + [
    token[cut:] + end for token in TOKENS for cut in range(len(token) + 1) for end in ("", '"', '":0')
]


def can_go_on(text):
    """Whether `text` can be continued to JSON: tries to end the last token, then closes all brackets."""
    outside = re.sub(r'"(\\.|[^"\\])*("|\\?$)', "", text)
    closing = []
    for character in outside:
        if character in "{[":
            closing.append("}" if character == "{" else "]")
        elif character in "}]" and closing:
            closing.pop()
    return any(is_json(text + filling + "".join(reversed(closing))) for filling in FILLINGS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{}", None),
        (' [1, -0.5e+3, "a\\n\\u00e9\\ud83d\\ude00", true, null, {"a": {}}] ', None),
        ("", "truncated"),
        ("tru", "truncated"),
        ("-", "truncated"),
        ("[1.", "truncated"),
        ("[1e", "truncated"),
        ('{"a', "truncated"),
        ('{"a"', "truncated"),
        ('{"a":1,', "truncated"),
        ('["\\', "truncated"),
        ('["\\u00', "truncated"),
        ('["\\ud83d', "truncated"),  # the other half of the pair may follow
        ('["\\ud83d\\ude0', "truncated"),
        ('["\\ud83d"', "not_json"),
        ('["\\ud83d\\u0041', "not_json"),
        ('["\\ude00', "not_json"),
        ('["\\ud83d\\ud8', "not_json"),
        ('["\ud83d', "not_json"),
        ('["\\x', "not_json"),
        ('["\\ua', "truncated"),
        ('["\\ug', "not_json"),
        ('["a\nb"]', "not_json"),
        ("[NaN]", "not_json"),
        ("-Infinity", "not_json"),
        ("{]", "not_json"),
        ("[1}", "not_json"),
        ("[,", "not_json"),
        ("[1,]", "not_json"),
        ('{"a":1,}', "not_json"),
        ("{1:2}", "not_json"),
        ("01", "not_json"),
        ("+1", "not_json"),
        (".5", "not_json"),
        ("1.e5", "not_json"),
        ("[1 2]", "not_json"),
        ("{} {}", "not_json"),
        ("trux", "not_json"),
        ("{f", "not_json"),
        ('[1"', "not_json"),
        ('{"a"-', "not_json"),
        ("[١]", "not_json"),  # a digit that JSON does not allow
        ("\ufeff{}", "not_json"),
        ("\u00a0{}", "not_json"),
        ('{"a":1,"a":1}', "duplicate_key"),
        ('{"a":1,"\\u0061":1}', "duplicate_key"),
        ('[{"b":{"a":1,"c":[{"a":2}],"a":3}}]', "duplicate_key"),
        ('{"a":{"a":1},"b":{"a":1}}', None),
        ('[{"a":"b","b":1,"a":"c"}]', "duplicate_key"),
        ('{"a":"\\"","a":1}', "duplicate_key"),
        ('{"a":":","b":"a","c":","}', None),
        ('{":":1,",":2,"":"\u0061"}', None),
        ('[ { "a" : 1 , "b" : "x" } , {"a":null} ]', None),
        ('[{"a":1 2}]', "not_json"),
        ('[{"a":1}{"b":1}]', "not_json"),
        ('{"a":1}{"b":1}', "not_json"),
        ("{" + ",".join(f'"{n}":{n}' for n in range(9)) + "}", None),
        ("[{" + ",".join(f'"{n % 8}":{n}' for n in range(9)) + "}]", "duplicate_key"),
        ('{"a":1,"a":', "truncated"),
        ('{"a":1,"a":1]', "not_json"),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ("[" * (MAX_DEPTH - 1) + '{"a":1}' + "]" * (MAX_DEPTH - 1), None),
        ("[" * MAX_DEPTH + '{"a":1}' + "]" * MAX_DEPTH, "too_deep"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "too_deep"),
        ('{"a":1,"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "too_deep"),
        ("[" * (MAX_DEPTH + 1), "truncated"),
        ("[" * (MAX_DEPTH + 1) + "}", "not_json"),
        ('{"[":[{"]":{"{":[ 1 ] } } \n] }', None),
        ('{"a":[{"b":{"a":[]}}],"a":{}}', "duplicate_key"),
        ('[{"a":[{"b":', "truncated"),
        ('{"a":[[[1]]]', "truncated"),
        ('{"a":[[[1]}]', "not_json"),
        ('{"a":[[[1]]]}]', "not_json"),
        ('[{"a":[[},', "not_json"),
        ('{"a":[[{,', "not_json"),
    ],
)
def test_fault(text, fault):
    assert json_fault(text) == fault


@given(JSON_VALUES, st.booleans(), st.integers(min_value=0))
def test_json_has_no_fault_and_its_beginnings_are_truncated(value, ascii_only, cut):
    text = json.dumps(value, ensure_ascii=ascii_only)
    if not ascii_only:
        text = text.encode("utf-8", "replace").decode()
    assert json_fault(text) is None
    beginning = text[: cut % len(text)]
    assert json_fault(beginning) == (None if is_json(beginning) else "truncated")


@given(st.text(alphabet='{}[]",:01-.e\\u tfnrDd8\ud800a', max_size=9))
@example('["\\ud8')
@example('{"\\')
def test_agrees_with_the_standard_library_and_with_trying_out(text):
    fault = json_fault(text)
    assert (fault in (None, "duplicate_key")) == is_json(text)
    if not is_json(text):
        assert (fault == "truncated") == can_go_on(text)
