"""Stretches of a unit's text that a wrong span can take: beside a gold span, or where there is none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tabpo.answers.units import Unit
from tabpo.records import Span

MAX_BOUNDARY_TOKENS = 2
"""Tokens by which each end of a wrong span differs from the gold one, at most."""


@dataclass(frozen=True, slots=True)
class SpanShape:
    """How gold spans look, so that an invented one looks alike: not recognisable by length or by its first word.

    Attributes:
        lengths: Gold spans by their number of tokens.
        first: Rate at which a token is the first of a gold span, by its text.
        last: Rate at which it is the last.
        unseen: Rate of a token that is in no training text.
    """

    lengths: dict[int, int]
    first: dict[str, float]
    last: dict[str, float]
    unseen: float


def span_shape(units: Sequence[Unit]) -> SpanShape:
    """Counts over units; rates are smoothed by one occurrence at the overall rate. One token if there are no spans."""
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
    """Extents of whole tokens that overlap none of the spans, each with the weight that its shape gives it."""
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
    """Extents that share text with `start:end`, each end the same or moved by one or two tokens, with their weights.

    A moved end lies at a token's edge; one that stays may lie inside a token, as published spans may. A moved end
    weighs what the shape gives to its token, halved for a step of two; weights of both ends multiply.

    Returns:
        (weight, start, end), characters of the document; without the extents themselves.
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
    """The unit's tokens."""
    return [unit.text[start - unit.start : end - unit.start] for start, end in unit.token_offsets]


def _moved(rates: dict[int, float], edge: int) -> list[tuple[float, int]]:
    """The edge itself at weight 1, and the nearest token edges on either side at their rates by the step."""
    before = [item for item in rates if item < edge][-MAX_BOUNDARY_TOKENS:]
    after = [item for item in rates if item > edge][:MAX_BOUNDARY_TOKENS]
    steps = [*enumerate(reversed(before), start=1), *enumerate(after, start=1)]
    return [(1.0, edge)] + [(rates[item] / step, item) for step, item in steps]


def _overlaps(token: tuple[int, int], span: Span) -> bool:
    return span.start < token[1] and token[0] < span.end
