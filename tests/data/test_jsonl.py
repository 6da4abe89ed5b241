"""Each fault in a file of JSON lines is reported with its place and without text."""

import json
import re

import pytest

from tabpo.data.jsonl import read_objects
from tabpo.errors import DataError

GOOD = b'{"id": "d1", "text": "a secret"}'


def read(path, content: bytes):
    path.write_bytes(content)
    return [row for _, row in read_objects(path, "id", ("id", "text"))]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_feed_after_the_last_line_is_optional(tmp_path, end):
    assert read(tmp_path / "train.json", GOOD + end) == [json.loads(GOOD)]


def test_lines_end_at_line_feeds_only(tmp_path):
    row = {"id": "d1", "text": "one\u2028two\x85three"}
    assert read(tmp_path / "train.json", json.dumps(row, ensure_ascii=False).encode() + b"\n") == [row]


FAULTS = {
    "empty file": (b"", "holds no document"),
    "white space only": (b"\n \n", "holds no document"),
    "empty line": (GOOD + b"\n\n", r"line 2: no JSON at character 1"),
    "broken JSON": (GOOD + b'\n{"id": "d2", "text": a secret}', r"line 2: no JSON at character 22"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "line 1: begins with a byte order mark; accepted: UTF-8 without one"),
    "key twice": (b'{"id": "d1", "text": "a secret", "text": 1}', "line 1: an object has the key in place 2 again"),
    "key twice inside": (
        b'{"id": "d1", "text": [{"a": 1, "a": 1}]}',
        "has the key in place 1 again; accepted: each key",
    ),
    "two objects a line": (GOOD + GOOD, r"line 1: no JSON at character 33"),
    "no object": (b'["a secret"]', "line 1: is no object"),
    "Latin-1": ('{"id": "d1", "text": "é secret"}'.encode("latin-1"), "line 1: byte 23 is no UTF-8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "line 1: byte 1 is no UTF-8"),
    "half a character": (b'{"id": "d1", "text": "\\ud800 secret"}', "line 1: a string holds half of a surrogate pair"),
    "a number without end": (b'{"id": ' + b"9" * 5000 + b"}", "line 1: a number has more digits than can be read"),
    "nested too deeply": (b"[" * 100_000, "line 1: nested too deeply"),
    "no id": (b'{"text": "a secret"}', "line 1: has no id"),
    "id is a number": (b'{"id": 1, "text": "a secret"}', "line 1, id: is no identifier"),
    "id with #": (b'{"id": "d#1", "text": "a secret"}', "line 1, id: is no identifier"),
    "id with a line feed": (b'{"id": "d\\n1", "text": "a secret"}', "line 1, id: is no identifier"),
    "id twice": (GOOD + b"\n" + GOOD, r"line 2, id: is already that of line 1"),
    "key missing": (b'{"id": "d1"}', "line 1, the line: lacks text; accepted: id, text"),
    "key unknown": (
        b'{"id": "d1", "text": "a", "a secret": 1}',
        "line 1, the line: has an unknown key in place 3; accepted: id, text",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_by_its_place(tmp_path, fault):
    content, message = FAULTS[fault]
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "train.json", content)
    assert str(caught.value).startswith(f"{tmp_path}/train.json")
    assert "accepted: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path, reason in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError, match=f"^{re.escape(str(path))}: cannot be read \\({reason}.*accepted: "):
            list(read_objects(path, "id", ("id", "text")))
