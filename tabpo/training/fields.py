"""Which part of the JSON answer each token belongs to, by its position in the JSON, never by searching for text."""

import re
from collections.abc import Sequence

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
"""Keys of `answers.render` whose values are no scaffolding."""

_LEXEME = re.compile(r'"(?P<string>(?:[^"\\]|\\.)*)"(?P<colon>:)?|(?P<number>\d+)')


def value_ranges(answer: str) -> list[tuple[int, int, TokenField]]:
    """Start, end (excluded) and field of every value of a rendered answer, in order; quotes are scaffolding.

    A value belongs to the last key before it, so the ids of a coreference cluster are links.
    """
    ranges, key = [], ""
    for match in _LEXEME.finditer(answer):
        if match["colon"]:
            key = match["string"]
        else:
            start, end = match.span("number" if match["number"] else "string")
            ranges.append((start, end, FIELD_OF_KEY[key]))
    return ranges


def token_fields(answer: str, offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The `TokenField` of each token: that of the first value it overlaps, else SCAFFOLDING.

    Args:
        answer: From `answers.render`.
        offsets: Characters (start, end excluded) of each token, in order.
    """
    ranges = value_ranges(answer)
    fields, current = [], 0
    for start, end in offsets:
        while current < len(ranges) and ranges[current][1] <= start:
            current += 1
        overlaps = current < len(ranges) and ranges[current][0] < end
        fields.append(int(ranges[current][2] if overlaps else TokenField.SCAFFOLDING))
    return tuple(fields)
