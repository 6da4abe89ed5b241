"""Pair predicted spans with gold spans, one to one: equal extents first, then the best overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tabpo.records import PredictedSpan, Span

MINIMUM_OVERLAP = 0.34
"""Smallest intersection over union, in characters, of two spans that are paired."""

SAME_LABEL_BONUS = 1e-6
"""Added to the overlap of spans with equal labels to break ties; far below any difference of two overlaps."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The pairs of gold and predicted spans.

    Attributes:
        matches: (gold id, predicted id), sorted by gold id; every id occurs at most once.
        missed: Gold ids without a partner.
        spurious: Predicted ids without a partner, including spans that are not grounded.
    """

    matches: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    spurious: tuple[int, ...]


def align(gold: Sequence[Span], predicted: Sequence[PredictedSpan]) -> Alignment:
    """Pair predicted with gold spans, one to one.

    Spans with equal extents are paired first, in the order given: those with equal label and sub-label, then those with
    equal label, then any. So among several labels on one span (medical datasets) each record finds its equal. The
    remaining spans are paired so that the total overlap is greatest (linear assignment); pairs below `MINIMUM_OVERLAP`
    are excluded. A predicted span that is not grounded has no extents and is spurious.
    """
    free_gold = list(gold)
    free_predicted = [span for span in predicted if span.start is not None]
    matches: list[tuple[int, int]] = []
    for key in (_record, _labelled_extents, _extents):
        _match_equal(free_gold, free_predicted, key, matches)
    _match_overlapping(free_gold, free_predicted, matches)
    taken = {predicted_id for _, predicted_id in matches}
    return Alignment(
        matches=tuple(sorted(matches)),
        missed=tuple(span.id for span in free_gold),
        spurious=tuple(span.id for span in predicted if span.id not in taken),
    )


def overlap(first: Span | PredictedSpan, second: Span | PredictedSpan) -> float:
    """Return the intersection over union of two spans in characters, 0 to 1; both must have extents."""
    common = max(0, min(first.end, second.end) - max(first.start, second.start))
    return common / (first.end - first.start + second.end - second.start - common)


def _record(span: Span | PredictedSpan) -> tuple[object, ...]:
    return span.start, span.end, span.label, span.sublabel


def _labelled_extents(span: Span | PredictedSpan) -> tuple[object, ...]:
    return span.start, span.end, span.label


def _extents(span: Span | PredictedSpan) -> tuple[object, ...]:
    return span.start, span.end


def _match_equal(
    gold: list[Span],
    predicted: list[PredictedSpan],
    key: Callable[[Span | PredictedSpan], tuple[object, ...]],
    matches: list[tuple[int, int]],
) -> None:
    """Move spans with equal keys from both lists to `matches`."""
    for gold_span in list(gold):
        partner = next((span for span in predicted if key(span) == key(gold_span)), None)
        if partner is not None:
            gold.remove(gold_span)
            predicted.remove(partner)
            matches.append((gold_span.id, partner.id))


def _match_overlapping(gold: list[Span], predicted: list[PredictedSpan], matches: list[tuple[int, int]]) -> None:
    """Move the pairs with the greatest total overlap from both lists to `matches`."""
    if not gold or not predicted:
        return
    scores = np.array([[_score(gold_span, span) for span in predicted] for gold_span in gold])
    pairs = [
        (gold[row], predicted[column])
        for row, column in zip(*linear_sum_assignment(scores, maximize=True), strict=True)
        if scores[row, column] > 0
    ]
    for gold_span, span in pairs:
        gold.remove(gold_span)
        predicted.remove(span)
        matches.append((gold_span.id, span.id))


def _score(gold: Span, predicted: PredictedSpan) -> float:
    share = overlap(gold, predicted)
    return share + SAME_LABEL_BONUS * (gold.label == predicted.label) if share >= MINIMUM_OVERLAP else 0.0
