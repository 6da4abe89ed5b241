"""Which predicted items count, which of them can be right, and where they are."""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable
from typing import TypeVar

from tabpo.answers.units import Unit
from tabpo.records import PredictedRelation, PredictedSpan, Span

SOUND = frozenset({"ok", "normalised_span"})
"""Classes of items that can be right. A `normalised_span` has a place in the text and is only flagged."""

Item = TypeVar("Item", PredictedSpan, PredictedRelation)


def distinct(items: Iterable[Item]) -> list[Item]:
    """Return the items that set counting uses; a `duplicate` is left out, whatever its label."""
    return [item for item in items if item.item_class != "duplicate"]


def is_sound(item: PredictedSpan | PredictedRelation) -> bool:
    """Return whether the item can be right; a faulty item counts as predicted but is never right (DESIGN 4)."""
    return item.item_class in SOUND


def place(span: PredictedSpan) -> Hashable:
    """Return the offsets (start, end) of a span, or its text if it is not grounded; a text equals no gold offsets."""
    return span.text if span.start is None else (span.start, span.end)


def tokens(unit: Unit, span: Span | PredictedSpan) -> range:
    """Return the numbers in the unit of the tokens that a grounded span covers, in whole or in part."""
    first = bisect_right(unit.token_offsets, span.start, key=lambda offsets: offsets[1])
    return range(first, bisect_left(unit.token_offsets, span.end, key=lambda offsets: offsets[0]))
