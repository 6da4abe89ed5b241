"""Why a text is no JSON that can be used; in time linear in its length, whatever the text."""

import json
import re
from itertools import accumulate

from pydantic_core import from_json

MAX_DEPTH = 100
"""Deepest nesting of an answer; answers need three levels."""

_PAIRED_SURROGATES = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}}|{_PAIRED_SURROGATES})')
_ESCAPE_FORMS = ("\\n", "\\u0000", "\\ud800\\udc00")
_STRING = re.compile(r'"[^"]*+"?')
_BRACKET = re.compile(r"[{}\[\]]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LATER_DIGITS = re.compile(r"(?<=[0-9]{1000})[0-9]++")


def json_fault(text: str) -> str | None:
    """The first that applies of truncated, not_json, too_deep and duplicate_key; None for JSON without these.

    `truncated` is a text that is not JSON but begins one. JSON is that of RFC 8259 (no NaN, no control characters in
    strings) in UTF-8, so that a lone surrogate, raw or escaped, is `not_json`: it could not be written to a file.
    Keys are compared as the strings they stand for. White space alone is `truncated`. The parser stops 201
    levels deep: such a text is `truncated` if one of its brackets stays open, and `too_deep` otherwise.
    """
    plain = _ESCAPE.sub("", text)  # what is left of backslashes begins no escape, or one that is cut off
    if _SURROGATE.search(text) or not _can_be_completed(plain[plain.find("\\") :] if "\\" in plain else ""):
        return "not_json"
    levels = [0, *accumulate(1 if bracket in "{[" else -1 for bracket in _BRACKET.findall(_STRING.sub("", plain)))]
    try:
        from_json(_LATER_DIGITS.sub("", text), allow_inf_nan=False)  # the parser refuses integers of 4,300 digits
    except ValueError as error:
        message = str(error)
        if message.startswith("recursion limit exceeded"):
            return "truncated" if levels[-1] > 0 else "too_deep"
        return "truncated" if message.startswith("EOF while parsing") else "not_json"
    if max(levels) > MAX_DEPTH:
        return "too_deep"
    return "duplicate_key" if _repeats_key(text) else None


def _can_be_completed(cut: str) -> bool:
    return not cut or any(_ESCAPE.fullmatch(cut + form[len(cut) :]) for form in _ESCAPE_FORMS)


def _repeats_key(text: str) -> bool:
    repeated = False

    def note(pairs: list[tuple[str, object]]) -> None:
        nonlocal repeated
        repeated |= len(dict(pairs)) < len(pairs)

    json.loads(text, object_pairs_hook=note, parse_int=str)
    return repeated
