"""A second, lenient reading of answers that strict parsing refuses: for a column of its own, never the headline."""

import json
import re

from tabpo.data.answers import Parsed, decode, parse

REPAIRS = ("none", "code_fence", "prose", "cut", "unrepaired")
"""What it took to read an answer; `none` for one that needs no repair."""

_FENCE = re.compile(r"```[A-Za-z]*+(.*?)(?:```|\Z)", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def repair(text: str, answer_format: str, *, clusters: bool) -> tuple[str, Parsed]:
    """Read an answer as far as it can be: what was done, and the outcome, which is that of `parse` for `unrepaired`.

    The first that gives a readable answer: `none`; `code_fence`, what a Markdown fence holds; `prose`, what stands from
    the first opening brace (in the fence, if there is one) to the brace that closes it; `cut`, the complete records of
    a list that was broken off there, with the lists that are missing left empty. No word of a record is changed: what
    has a wrong key, type or id stays unreadable. Time is linear in the length; nothing raises.

    Args:
        text: What a model generated, without the end-of-turn token.
        answer_format: "entities" or "results".
        clusters: Whether "entities" has the key "coreference".
    """
    strict = parse(text, answer_format, clusters=clusters)
    if strict.answer_class == "ok":
        return "none", strict
    fence = _FENCE.search(text)
    inner = fence[1] if fence else text
    whole, records = _object(inner)
    lists = ("results",) if answer_format == "results" else ("entities", "relations", *(["coreference"] * clusters))
    fenced = [("code_fence", inner)] if fence else []
    for done, candidate in (*fenced, ("prose", whole), ("cut", _completed(records, lists))):
        parsed = parse(candidate, answer_format, clusters=clusters)
        if parsed.answer_class == "ok":
            return done, parsed
    return "unrepaired", strict


def _object(text: str) -> tuple[str, str]:
    """From the first opening brace: up to the brace that closes it; else up to the last record that closes, closed.

    The one that does not apply is empty. A record is what closes inside a list of the object; where none does, the
    second is no JSON.
    """
    start = text.find("{")
    if start < 0:
        return "", ""
    still_open: list[str] = []
    end, listed_in = start, "["
    for token in _TOKEN.finditer(text, start):
        if token[0] in _CLOSING:
            still_open.append(token[0])
        elif token[0] in ("}", "]"):
            if token[0] != _CLOSING[still_open.pop()]:
                break
            if not still_open:
                return text[start : token.end()], ""
            if len(still_open) == 2:
                end, listed_in = token.end(), still_open[1]
        elif token[0] == '"':  # a string that does not end
            break
    return "", text[start:end] + _CLOSING[listed_in] + "}"


def _completed(text: str, lists: tuple[str, ...]) -> str:
    """The object with the lists that it lacks, empty."""
    content = decode(text)
    return "" if content is None else json.dumps({name: [] for name in lists} | content, ensure_ascii=False)
