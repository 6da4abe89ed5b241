"""The part of the JSON answer that each token belongs to, by its position in the JSON, never by searching for text."""

import re
from collections.abc import Sequence

from tabpo.answers.render import is_rendered
from tabpo.losses import TokenField

FIELD_OF_KEY = {
    "id": TokenField.ID,
    "label": TokenField.LABEL,
    "span": TokenField.SPAN,
    "head": TokenField.LINK,
    "tail": TokenField.LINK,
    "coreference": TokenField.LINK,
    "Code": TokenField.LABEL,
    "Sub-code": TokenField.SUBLABEL,
    "Span": TokenField.SPAN,
}
"""The `TokenField` of the value of each key that `answers.render` writes; everything else is scaffolding."""

_FIRST_KEYS = ("id", "head", "Code")
_LAST_KEYS = ("span", "tail", "Span")
"""First and last key of an entity, a relation and a medical record, in the key order of `answers.render`."""

_LEXEME = re.compile(r'"(?P<string>(?:[^"\\]|\\.)*)"(?P<colon>:)?|(?P<number>\d+)')


def value_ranges(answer: str) -> list[tuple[int, int, TokenField]]:
    """Start, end (excluded) and field of every value of a rendered answer, in order.

    Quotes are scaffolding. A value belongs to the last key before it, so the ids of a coreference cluster are links.
    """
    ranges, key = [], ""
    for match in _LEXEME.finditer(answer):
        if match["colon"]:
            key = match["string"]
        else:
            start, end = match.span("number" if match["number"] else "string")
            ranges.append((start, end, FIELD_OF_KEY.get(key, TokenField.SCAFFOLDING)))
    return ranges


def record_labels(answer: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """Start, end (excluded) and label of every record of a rendered answer, in order; records include their braces.

    An entity or a relation has one label; the label of a medical record is its code and sub-code.
    """
    records, key, start, labels = [], "", 0, ()
    for match in _LEXEME.finditer(answer):
        if match["colon"]:
            key = match["string"]
            if key in _FIRST_KEYS:
                start, labels = match.start() - 1, ()
        elif FIELD_OF_KEY[key] in (TokenField.LABEL, TokenField.SUBLABEL):
            labels = (*labels, match["string"])
        elif key in _LAST_KEYS:
            records.append((start, match.end() + 1, labels))
    return records


def token_fields(answer: str, offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The `TokenField` of each token: the field of the first value that the token overlaps, else SCAFFOLDING.

    Args:
        answer: From `answers.render`; in any other text every token is SCAFFOLDING.
        offsets: Start and end (excluded) of each token in characters, in order.
    """
    ranges = value_ranges(answer) if is_rendered(answer) else []
    fields, current = [], 0
    for start, end in offsets:
        while current < len(ranges) and ranges[current][1] <= start:
            current += 1
        overlaps = current < len(ranges) and ranges[current][0] < end
        fields.append(int(ranges[current][2] if overlaps else TokenField.SCAFFOLDING))
    return tuple(fields)
