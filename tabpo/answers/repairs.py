"""A second, lenient reading of answers that strict parsing refuses; its scores never are the headline."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from tabpo.answers.render import Parsed, decode, parse

REPAIRS = ("none", "thoughts", "code_fence", "prose", "cut", "unrepaired")
"""What was needed to read an answer; `none` for an answer that needs no repair."""

_LISTS = {"results": ("results",), "entities": ("entities", "relations", "coreference")}
# Quotes inside a JSON string are escaped, so text that looks like the start of an answer is never part of a span.
_START = {name: re.compile(rf'\{{[ \t\n\r]*+"(?:{"|".join(lists)})"[ \t\n\r]*+:') for name, lists in _LISTS.items()}
_FENCE_BEFORE = re.compile(r"```[A-Za-z]*+\s*+\Z")
_FENCE_AFTER = re.compile(r"\s*+(?:```|\Z)")
FENCE_LENGTH = 40
"""Number of characters before an object, white space included, in which an opening fence is searched."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def repair(text: str, answer_format: str, *, clusters: bool) -> tuple[str, Parsed]:
    """Read an answer leniently; return the repair and the outcome, which is that of `parse` for `unrepaired`.

    Only the text after the last `</think>` counts; if thoughts begin and never end, there is no answer. The first of
    these repairs that gives a readable answer is taken:

        none         the text as it is
        thoughts     all text after the thoughts
        code_fence   the last object with the shape of an answer, alone in a Markdown fence
        prose        the last such object among other words
        cut          the complete records of a list that was broken off in the last such object; missing lists are empty

    No word of a record is changed, so a record with a wrong key, type or id stays unreadable. Time is linear in the
    length; nothing is raised.

    Args:
        text: What a model generated, without the end-of-turn token.
        answer_format: "entities" or "results".
        clusters: Whether "entities" has the key "coreference".
    """
    strict = parse(text, answer_format, clusters=clusters)
    if strict.answer_class == "ok":
        return "none", strict
    _, thoughts, visible = text.rpartition("</think>")
    if "<think>" in visible:
        return "unrepaired", strict
    for done, candidate in _candidates(visible, answer_format, clusters=clusters, thoughts=bool(thoughts)):
        parsed = parse(candidate, answer_format, clusters=clusters)
        if parsed.answer_class == "ok":
            return done, parsed
    return "unrepaired", strict


def _candidates(text: str, answer_format: str, *, clusters: bool, thoughts: bool) -> Iterator[tuple[str, str]]:
    """Yield the repairs and the texts that they give, in the order of preference."""
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
    """Read the object at the beginning of a text.

    Returns the text up to the brace that closes the object and "", or, if no brace does, "" and the text up to the last
    complete record, closed. A record is an object or list inside a list of the object. If no record is complete, the
    second text is no JSON.
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
        elif token[0] == '"':  # a string without its closing quote
            break
    return "", text[:end] + _CLOSING[listed_in] + "}"


def _completed(text: str, lists: tuple[str, ...]) -> str:
    """Return the object with its missing lists added as empty lists."""
    content = decode(text)
    return "" if content is None else json.dumps({name: [] for name in lists} | content, ensure_ascii=False)
