"""Find the extents that a wrong span can take: near a gold span, or in text without gold spans."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tabpo.answers.units import Unit
from tabpo.records import Span

MAX_BOUNDARY_TOKENS = 2
"""Largest number of tokens by which each end of a wrong span differs from the gold end."""


@dataclass(frozen=True, slots=True)
class SpanShape:
    """Lengths and edge tokens of gold spans.

    Invented spans follow them, so that a model cannot recognise a wrong span by its length or first word.

    Attributes:
        lengths: Number of gold spans by their length in tokens.
        first: For each token text, the rate at which it is the first token of a gold span.
        last: For each token text, the rate at which it is the last token of a gold span.
        unseen: Rate for a token that is in no training text.
    """

    lengths: dict[int, int]
    first: dict[str, float]
    last: dict[str, float]
    unseen: float


def span_shape(units: Sequence[Unit]) -> SpanShape:
    """Count the shape of the gold spans of these units.

    Rates are smoothed by one occurrence at the overall rate. Without any span, the only length is one token.
    """
    tokens: Counter[str] = Counter()
    first: Counter[str] = Counter()
    last: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    for unit in units:
        texts = token_texts(unit)
        tokens.update(texts)
        for span in unit.spans:
            inside = [number for number, token in enumerate(unit.token_offsets) if _overlaps(token, span)]
            lengths[len(inside)] += 1
            first[texts[inside[0]]] += 1
            last[texts[inside[-1]]] += 1
    overall = (lengths.total() + 1) / (tokens.total() + 1)
    return SpanShape(
        lengths=dict(sorted(lengths.items())) or {1: 1},
        first={token: (first[token] + overall) / (count + 1) for token, count in tokens.items()},
        last={token: (last[token] + overall) / (count + 1) for token, count in tokens.items()},
        unseen=overall,
    )


def free_extents(unit: Unit, spans: Sequence[Span], shape: SpanShape) -> list[tuple[float, tuple[int, int]]]:
    """Return the extents of whole tokens that overlap none of the spans, weighted by the shape."""
    tokens = unit.token_offsets
    texts = token_texts(unit)
    free = [not any(_overlaps(token, span) for span in spans) for token in tokens]
    options = []
    for first in range(len(tokens)):
        first_rate = shape.first.get(texts[first], shape.unseen)
        for last in range(first, len(tokens)):
            if not free[last]:
                break
            wanted = shape.lengths.get(last - first + 1, 0)
            if wanted:
                weight = wanted * first_rate * shape.last.get(texts[last], shape.unseen)
                options.append((weight, (tokens[first][0], tokens[last][1])))
    return options


def changed_extents(unit: Unit, start: int, end: int, shape: SpanShape) -> list[tuple[float, int, int]]:
    """Return the extents that differ from `start:end` but share text with it, with their weights.

    Each end stays or moves by one or two tokens. A moved end lies at the edge of a token; an unchanged end may lie
    inside a token, as in some published annotations. A moved end has the weight that the shape gives to its token,
    halved for a step of two tokens; the weights of both ends are multiplied.

    Returns:
        (weight, start, end) in characters of the document.
    """
    texts = token_texts(unit)
    first = {
        token[0]: shape.first.get(text, shape.unseen) for token, text in zip(unit.token_offsets, texts, strict=True)
    }
    last = {token[1]: shape.last.get(text, shape.unseen) for token, text in zip(unit.token_offsets, texts, strict=True)}
    return [
        (start_weight * end_weight, new_start, new_end)
        for start_weight, new_start in _moved(first, start)
        for end_weight, new_end in _moved(last, end)
        if (new_start, new_end) != (start, end) and max(start, new_start) < min(end, new_end)
    ]


def token_texts(unit: Unit) -> list[str]:
    """Return the texts of the unit's tokens."""
    return [unit.text[start - unit.start : end - unit.start] for start, end in unit.token_offsets]


def _moved(rates: dict[int, float], edge: int) -> list[tuple[float, int]]:
    """Return the edge itself with weight 1, and the nearest token edges with their rate divided by the step."""
    before = [item for item in rates if item < edge][-MAX_BOUNDARY_TOKENS:]
    after = [item for item in rates if item > edge][:MAX_BOUNDARY_TOKENS]
    steps = [*enumerate(reversed(before), start=1), *enumerate(after, start=1)]
    return [(1.0, edge)] + [(rates[item] / step, item) for step, item in steps]


def _overlaps(token: tuple[int, int], span: Span) -> bool:
    return span.start < token[1] and token[0] < span.end
