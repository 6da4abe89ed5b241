"""Why a text is no JSON that can be used: one pass, linear in time and without recursion, whatever the text."""

import json
import re
from typing import NoReturn

MAX_DEPTH = 100
"""Deepest nesting that is looked into; answers need three levels."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = ("true", "false", "null")
_SCALAR = re.compile(rf"(?:{_NUMBER.pattern}|{'|'.join(_WORDS)})(?![0-9A-Za-z.+-])")

_PAIRED = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}}|{_PAIRED})')
_ESCAPES = ("\\n", "\\u0000", "\\ud800\\udc00")  # one of each form: what a cut escape could have become
_LONGEST_ESCAPE = 12
# Bounded, because a repeated group keeps memory for every turn; the inner `++` leaves nothing to try again.
_CHARACTERS = re.compile(rf'(?:[^"\\\x00-\x1f\ud800-\udfff]++|{_ESCAPE.pattern}){{1,1000}}')

_SIMPLE_TOKEN = re.compile(rf'{_SPACE.pattern}([{{}}\[\],:]|"[^"\\\x00-\x1f\ud800-\udfff]*+"|{_SCALAR.pattern})')
_KINDS = '{}[],:"'

# Most of an answer is records: objects of a few plain strings and numbers, which are taken in one go.
_PLAIN = r'[ \t\n\r]*+"[^"\\\x00-\x1f\ud800-\udfff]*+"[ \t\n\r]*+'
_FIELD = rf"{_PLAIN}:(?:{_PLAIN}|{_SPACE.pattern}{_SCALAR.pattern}{_SPACE.pattern})"
_RECORD = re.compile(rf"{_SPACE.pattern}(\{{{_FIELD}(?:,{_FIELD}){{0,7}}\}})")
_STRING = re.compile(r'"([^"]*+)"([ \t\n\r]*+:)?')

# Deep nesting is runs of brackets: of arrays, and of objects whose first value is one again; and of what closes them.
# The first is bounded, not possessive: Python before 3.11.5 goes on from where a last turn failed (its issue 106052).
_OPENINGS = re.compile(rf"(?:[ \t\n\r]*+(?:\[|\{{{_PLAIN}:(?=[ \t\n\r]*+[\[{{]))){{1,1000}}")
_OPENING = re.compile(r'\[|"[^"]*+"')
_CLOSINGS = re.compile(r"(?:[ \t\n\r]*+[\]}])++")

_VALUE = '"0{['
_KEY = '"'


class _CutError(Exception):
    """The text ends where valid JSON could go on."""


class _BrokenError(Exception):
    """No continuation makes the text valid JSON."""


def json_fault(text: str) -> str | None:
    """The first that applies of truncated, not_json, too_deep and duplicate_key; None for JSON without these.

    `truncated` is a text that is not JSON but begins one. JSON is that of RFC 8259 (no NaN, no control characters in
    strings) in UTF-8, so that a lone surrogate, raw or escaped, is `not_json`: it could not be written to a file.
    Keys are compared as the strings they stand for. White space alone is `truncated`.
    """
    scan = _Scan(text)
    try:
        scan.run()
    except _CutError:
        return "truncated"
    except _BrokenError:
        return "not_json"
    if scan.deepest > MAX_DEPTH:
        return "too_deep"
    return "duplicate_key" if scan.repeats_key else None


class _Scan:
    """A pushdown automaton over tokens; `expected` holds the first characters that may come ("0" for any scalar)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.token = (0, 0)
        self.expected = _VALUE
        # The keys so far of an open object (the garbage collector looks at no dict of strings, but at every set), None
        # for an open array.
        self.open: list[dict[str, None] | None] = []
        self.deepest = 0
        self.repeats_key = False

    def run(self) -> None:
        """Read the whole text; sets `deepest` and `repeats_key`.

        Raises:
            _CutError: The text begins JSON and ends too early.
            _BrokenError: The text does not begin JSON.
        """
        while self.expected:
            may_open, may_close = "{" in self.expected, self.expected[0] == ","
            if may_open and (record := _RECORD.match(self.text, self.token[1])):
                self._take_record(record)
            elif may_open and (openings := _OPENINGS.match(self.text, self.token[1])):
                self._take_openings(openings)
            elif may_close and (closings := _CLOSINGS.match(self.text, self.token[1])):
                self._take_closings(closings)
            else:
                self._take(self._next_token())
        if _SPACE.match(self.text, self.token[1]).end() < len(self.text):
            raise _BrokenError

    def _take(self, kind: str) -> None:
        if kind == "{":
            self._open({}, _KEY + "}")
        elif kind == "[":
            self._open(None, _VALUE + "]")
        elif kind == ":":
            self.expected = _VALUE
        elif kind == ",":
            self.expected = _VALUE if self.open[-1] is None else _KEY
        elif kind == '"' and self.expected in (_KEY, _KEY + "}"):
            self._take_key(self.open[-1])
        else:
            if kind in "}]":
                self.open.pop()
            self._complete_value()

    def _take_record(self, record: re.Match[str]) -> None:
        self.token = record.span(1)
        self.deepest = max(self.deepest, len(self.open) + 1)
        keys = [string for string, colon in _STRING.findall(record[1]) if colon]
        self.repeats_key |= len(set(keys)) < len(keys)
        self._complete_value()

    def _take_openings(self, openings: re.Match[str]) -> None:
        self.token = openings.span()
        found = _OPENING.findall(openings[0])
        self.open += [None if opening == "[" else {opening[1:-1]: None} for opening in found]
        self.deepest = max(self.deepest, len(self.open))
        self.expected = _VALUE + "]" if self.open[-1] is None else _VALUE

    def _take_closings(self, closings: re.Match[str]) -> None:
        self.token = closings.span()
        for closing in "".join(closings[0].split()):
            if not self.open or (self.open.pop() is None) != (closing == "]"):
                raise _BrokenError
        self._complete_value()

    def _complete_value(self) -> None:
        self.expected = "" if not self.open else ",]" if self.open[-1] is None else ",}"

    def _open(self, keys: dict[str, None] | None, expected: str) -> None:
        self.open.append(keys)
        self.deepest = max(self.deepest, len(self.open))
        self.expected = expected

    def _take_key(self, keys: dict[str, None]) -> None:
        key = json.loads(self.text[slice(*self.token)])
        self.repeats_key |= key in keys
        keys[key] = None
        self.expected = ":"

    def _next_token(self) -> str:
        simple = _SIMPLE_TOKEN.match(self.text, self.token[1])
        start = simple.start(1) if simple else _SPACE.match(self.text, self.token[1]).end()
        if start == len(self.text):
            raise _CutError
        first = self.text[start]
        kind = first if first in _KINDS else "0"
        if kind not in self.expected:
            raise _BrokenError
        if simple:
            end = simple.end(1)
        elif kind == '"':
            end = self._string_end(start)
        else:
            self._refuse_scalar(start)
        self.token = (start, end)
        return kind

    def _string_end(self, start: int) -> int:
        end = start + 1
        while run := _CHARACTERS.match(self.text, end):
            end = run.end()
        left = len(self.text) - end
        if left and self.text[end] == '"':
            return end + 1
        if left < _LONGEST_ESCAPE:
            cut = self.text[end:]
            if not cut or any(_ESCAPE.fullmatch(cut + whole[left:]) for whole in _ESCAPES):
                raise _CutError
        raise _BrokenError

    def _refuse_scalar(self, start: int) -> NoReturn:
        cut = self.text[start:]
        if _NUMBER.fullmatch(cut + "0") or any(word.startswith(cut) for word in _WORDS):
            raise _CutError
        raise _BrokenError
