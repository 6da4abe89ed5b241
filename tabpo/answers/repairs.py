"""A second, lenient reading of answers that strict parsing refuses: for a column of its own, never the headline."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from tabpo.answers.render import Parsed, decode, parse

REPAIRS = ("none", "thoughts", "code_fence", "prose", "cut", "unrepaired")
"""What it took to read an answer; `none` for one that needs no repair."""

_LISTS = {"results": ("results",), "entities": ("entities", "relations", "coreference")}
# Quotes inside a string of JSON are escaped, so what looks like the start of an answer is never part of a span.
_START = {name: re.compile(rf'\{{[ \t\n\r]*+"(?:{"|".join(lists)})"[ \t\n\r]*+:') for name, lists in _LISTS.items()}
_FENCE_BEFORE = re.compile(r"```[A-Za-z]*+\s*+\Z")
_FENCE_AFTER = re.compile(r"\s*+(?:```|\Z)")
FENCE_LENGTH = 40
"""Characters, white space included, in which the opening of a fence before an object is looked for."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def repair(text: str, answer_format: str, *, clusters: bool) -> tuple[str, Parsed]:
    """Read an answer as far as it can be: what was done, and the outcome, which is that of `parse` for `unrepaired`.

    What counts is the text behind the last `</think>`; thoughts that begin and never end hold no answer. The first of
    these that gives a readable answer: `none`; `thoughts`, all of the text behind them; `code_fence` or `prose`, the
    last object of the answer's shape, which stands alone in a Markdown fence or among other words; `cut`, the complete
    records of a list that was broken off in the last such object, with the lists that are missing left empty. No word
    of a record is changed: what has a wrong key, type or id stays unreadable. Time is linear in the length; nothing
    raises.

    Args:
        text: What a model generated, without the end-of-turn token.
        answer_format: "entities" or "results".
        clusters: Whether "entities" has the key "coreference".
    """
    strict = parse(text, answer_format, clusters=clusters)
    if strict.answer_class == "ok":
        return "none", strict
    _, thoughts, said = text.rpartition("</think>")
    if "<think>" in said:
        return "unrepaired", strict
    for done, candidate in _candidates(said, answer_format, clusters=clusters, thoughts=bool(thoughts)):
        parsed = parse(candidate, answer_format, clusters=clusters)
        if parsed.answer_class == "ok":
            return done, parsed
    return "unrepaired", strict


def _candidates(text: str, answer_format: str, *, clusters: bool, thoughts: bool) -> Iterator[tuple[str, str]]:
    """What may be the answer, with the repair that it takes, in the order of preference."""
    if thoughts:
        yield "thoughts", text
    starts = [match.start() for match in _START[answer_format].finditer(text)]
    cut = ""
    for start, end in reversed(list(pairwise([*starts, len(text)]))):
        whole, records = _object(text[start:end])
        fenced = _FENCE_BEFORE.search(text, max(0, start - FENCE_LENGTH), start) and _FENCE_AFTER.match(
            text, start + len(whole)
        )
        yield ("code_fence" if fenced else "prose"), whole
        cut = cut or records
    yield "cut", _completed(cut, _LISTS[answer_format] if clusters else _LISTS[answer_format][:2])


def _object(text: str) -> tuple[str, str]:
    """The object that a text begins with: up to the brace that closes it; else up to the last record that closes.

    The one that does not apply is empty. A record is what closes inside a list of the object; where none does, the
    second is no JSON.
    """
    still_open: list[str] = []
    end, listed_in = 0, "["
    for token in _TOKEN.finditer(text):
        if token[0] in _CLOSING:
            still_open.append(token[0])
        elif token[0] in ("}", "]"):
            if token[0] != _CLOSING[still_open.pop()]:
                break
            if not still_open:
                return text[: token.end()], ""
            if len(still_open) == 2:
                end, listed_in = token.end(), still_open[1]
        elif token[0] == '"':  # a string that does not end
            break
    return "", text[:end] + _CLOSING[listed_in] + "}"


def _completed(text: str, lists: tuple[str, ...]) -> str:
    """The object with the lists that it lacks, empty."""
    content = decode(text)
    return "" if content is None else json.dumps({name: [] for name in lists} | content, ensure_ascii=False)
