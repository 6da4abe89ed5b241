"""Scores of spans that nearly agree: sets of tokens, matched one to one so that most spans match."""

from collections.abc import Callable, Set

import numpy as np
from scipy.optimize import linear_sum_assignment

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts
from tabpo.metrics.items import distinct, is_sound, place, tokens
from tabpo.records import PredictedSpan, Prediction, Span

JACCARD = 0.6
"""Share of common members, of all members, from which two sets agree if neither contains the other."""


def near(first: Set, second: Set) -> bool:
    """Return whether one set contains the other, or they share at least `JACCARD` of all their members."""
    shared = len(first & second)
    return shared == min(len(first), len(second)) or shared / len(first | second) >= JACCARD


def ner_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """Count the spans with equal labels whose tokens are `near`."""
    return _matched(unit, prediction, lambda span: span.label)


def ner_boundary_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """Count the spans whose tokens are `near`, whatever their labels."""
    return _matched(unit, prediction, lambda span: None)


def span_relaxed(unit: Unit, prediction: Prediction) -> Counts:
    """Count the spans of medical answers whose tokens are `near`; a span with several labels counts once."""
    return _matched(unit, prediction, lambda span: None)


def _matched(unit: Unit, prediction: Prediction, label: Callable[[Span | PredictedSpan], str | None]) -> Counts:
    """Count as tp the size of a maximum matching of distinct gold spans and distinct sound predicted spans."""
    gold = {(label(span), (span.start, span.end)): set(tokens(unit, span)) for span in unit.spans}
    items = distinct(prediction.spans)
    sound = {(label(span), place(span)): set(tokens(unit, span)) for span in items if is_sound(span)}
    predicted = {(label(span), place(span)) for span in items}
    if not gold or not sound:
        return Counts(0, len(predicted), len(gold))
    agree = np.array(
        [[gold_key[0] == key[0] and near(gold[gold_key], sound[key]) for key in sound] for gold_key in gold]
    )
    return Counts(int(agree[linear_sum_assignment(agree, maximize=True)].sum()), len(predicted), len(gold))
