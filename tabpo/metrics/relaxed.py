"""Spans that nearly agree: token ranges, matched one to one as well as can be; ours, unlike `pv_style`'s words."""

from collections.abc import Callable, Set

import numpy as np
from scipy.optimize import linear_sum_assignment

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts
from tabpo.metrics.items import distinct, is_sound, place, tokens
from tabpo.records import PredictedSpan, Prediction, Span

JACCARD = 0.6
"""Share of common members from which two sets agree that do not contain one another."""


def near(first: Set, second: Set) -> bool:
    """Whether one set holds the other, or they share at least `JACCARD` of all their members."""
    shared = len(first & second)
    return shared == min(len(first), len(second)) or shared / len(first | second) >= JACCARD


def ner_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """Spans of one label whose tokens are `near`."""
    return _matched(unit, prediction, lambda span: span.label)


def ner_boundary_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """Spans whose tokens are `near`, whatever their labels."""
    return _matched(unit, prediction, lambda span: None)


def span_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """The same for medical spans, where one span may carry several labels and counts once."""
    return _matched(unit, prediction, lambda span: None)


def _matched(unit: Unit, prediction: Prediction, label: Callable[[Span | PredictedSpan], str | None]) -> Counts:
    """TP is the size of a maximum matching between the distinct gold spans and the distinct sound predicted ones."""
    gold = {(label(span), (span.start, span.end)): set(tokens(unit, span)) for span in unit.spans}
    items = distinct(prediction.spans)
    found = {(label(span), place(span)): set(tokens(unit, span)) for span in items if is_sound(span)}
    predicted = {(label(span), place(span)) for span in items}
    if not gold or not found:
        return Counts(0, len(predicted), len(gold))
    agree = np.array([[one[0] == other[0] and near(gold[one], found[other]) for other in found] for one in gold])
    return Counts(int(agree[linear_sum_assignment(agree, maximize=True)].sum()), len(predicted), len(gold))
