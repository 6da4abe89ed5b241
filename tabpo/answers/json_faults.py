"""Say why a text is no usable JSON, in time linear in its length for any text."""

import json
import re
from itertools import accumulate

from pydantic_core import from_json

MAX_DEPTH = 100
"""Deepest nesting of an answer that is accepted; answers need three levels."""

_PAIRED_SURROGATES = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}}|{_PAIRED_SURROGATES})')
_ESCAPE_FORMS = ("\\n", "\\u0000", "\\ud800\\udc00")
_STRING = re.compile(r'"[^"]*+"?')
_BRACKET = re.compile(r"[{}\[\]]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LATER_DIGITS = re.compile(r"(?<=[0-9]{1000})[0-9]++")


def json_fault(text: str) -> str | None:
    """Return the first of truncated, not_json, too_deep and duplicate_key that applies; None if none does.

    `truncated` is a text that is not JSON but could be continued to JSON; white space alone is `truncated`. JSON is
    that of RFC 8259 (no NaN, no control characters in strings) in UTF-8. So a lone surrogate, raw or escaped, is
    `not_json`, because it could not be written to a file. Keys are compared after unescaping. The parser stops at 201
    levels of nesting: such a text is `truncated` if one of its brackets stays open, and `too_deep` otherwise.
    """
    plain = _ESCAPE.sub("", text)  # a backslash that remains starts no valid escape, or one that is cut off
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
