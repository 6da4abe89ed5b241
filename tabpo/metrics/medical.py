"""Codes, sub-codes and spans of medical answers, each unit counted as sets; faulty items count and are never right.

Labels outside the ontology stay in as false positives, and the sub-code "None" is a value like any other; the parity
mode of the released scorer, which drops both and matches spans loosely, is another convention.
"""

from tabpo.data.units import Unit
from tabpo.metrics.counts import Counts, set_counts
from tabpo.metrics.items import distinct, is_sound, place
from tabpo.records import Prediction


def code(unit: Unit, prediction: Prediction) -> Counts:
    """Set of codes of the unit; one that only faulty items name (span not in the text, say) is not right."""
    return set_counts(
        (span.label for span in unit.spans), ((span.label, is_sound(span)) for span in distinct(prediction.spans))
    )


def sub_code(unit: Unit, prediction: Prediction) -> Counts:
    """Set of sub-codes of the unit, whatever their codes; faulty items as in `code`."""
    return set_counts(
        (span.sublabel for span in unit.spans), ((span.sublabel, is_sound(span)) for span in distinct(prediction.spans))
    )


def span(unit: Unit, prediction: Prediction) -> Counts:
    """Set of exact character offsets, whatever their labels."""
    return set_counts(
        ((item.start, item.end) for item in unit.spans),
        ((place(item), is_sound(item)) for item in distinct(prediction.spans)),
    )


def triple(unit: Unit, prediction: Prediction) -> Counts:
    """Set of (code, sub-code, exact character offsets)."""
    return set_counts(
        ((item.label, item.sublabel, (item.start, item.end)) for item in unit.spans),
        (((item.label, item.sublabel, place(item)), is_sound(item)) for item in distinct(prediction.spans)),
    )
