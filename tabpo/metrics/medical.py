"""Scores of codes, sub-codes and spans of medical answers; each unit is counted by sets.

Faulty items count as predicted and are never right. Labels outside the ontology count as false positives, and the
sub-code "None" is a value like any other; the released scorer, which drops both and matches spans loosely, is in
`pv_style`. Each metric counts what its `_items` function returns: the keys of gold items, and for each predicted item
its key and whether it can be right.
"""

from collections.abc import Callable, Hashable

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts, set_counts
from tabpo.metrics.items import distinct, is_sound, place
from tabpo.records import PredictedSpan, Prediction, Span

Items = tuple[list[Hashable], list[tuple[Hashable, bool]]]


def code(unit: Unit, prediction: Prediction) -> Counts:
    """Count the set of codes of the unit; a code that only faulty items have is never right."""
    return set_counts(*code_items(unit, prediction))


def code_items(unit: Unit, prediction: Prediction) -> Items:
    """Return the items by code."""
    return _items(unit, prediction, lambda span: span.label)


def sub_code(unit: Unit, prediction: Prediction) -> Counts:
    """Count the set of sub-codes of the unit, whatever their codes; faulty items are treated as in `code`."""
    return set_counts(*sub_code_items(unit, prediction))


def sub_code_items(unit: Unit, prediction: Prediction) -> Items:
    """Return the items by sub-code."""
    return _items(unit, prediction, lambda span: span.sublabel)


def pair(unit: Unit, prediction: Prediction) -> Counts:
    """Count the set of (code, sub-code) of the unit; faulty items are treated as in `code`."""
    return set_counts(*pair_items(unit, prediction))


def pair_items(unit: Unit, prediction: Prediction) -> Items:
    """Return the items by (code, sub-code)."""
    return _items(unit, prediction, lambda span: (span.label, span.sublabel))


def span(unit: Unit, prediction: Prediction) -> Counts:
    """Count the set of exact character offsets, whatever their labels."""
    return set_counts(
        [(item.start, item.end) for item in unit.spans],
        [(place(item), is_sound(item)) for item in distinct(prediction.spans)],
    )


def triple(unit: Unit, prediction: Prediction) -> Counts:
    """Count the set of (code, sub-code, exact character offsets)."""
    return set_counts(*triple_items(unit, prediction))


def triple_items(unit: Unit, prediction: Prediction) -> Items:
    """Return the items by (code, sub-code, offsets)."""
    return (
        [(item.label, item.sublabel, (item.start, item.end)) for item in unit.spans],
        [((item.label, item.sublabel, place(item)), is_sound(item)) for item in distinct(prediction.spans)],
    )


def _items(unit: Unit, prediction: Prediction, key: Callable[[Span | PredictedSpan], Hashable]) -> Items:
    return list(map(key, unit.spans)), [(key(item), is_sound(item)) for item in distinct(prediction.spans)]
