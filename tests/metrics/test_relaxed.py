from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.metrics.counts import Counts
from tabpo.metrics.relaxed import near, ner_boundary_relaxed, ner_relaxed, span_relaxed
from tests.metrics.cases import percent, prediction, unit


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ("ab", "ab", True),
        ("ab", "abcdef", True),  # contained
        ("abc", "bcd", False),  # 2 of 4
        ("abcd", "bcde", True),  # 3 of 5: 0.6 itself
        ("ab", "cd", False),
        ("", "ab", True),
    ],
)
def test_near(first, second, agree):
    assert near(set(first), set(second)) == near(set(second), set(first)) == agree


def test_case_a():
    gold = unit([(0, 0, "Method"), (2, 3, "Task"), (5, 5, "Generic")])
    predicted = prediction([(0, 0, "Method"), (2, 3, "Method"), (5, 6, "Generic")])
    assert percent(ner_relaxed(gold, predicted)) == (66.67, 66.67, 66.67)
    assert percent(ner_boundary_relaxed(gold, predicted)) == (100, 100, 100)


def test_matching_is_maximal():
    # b is near both gold spans, a b c only near the first; a greedy match of b with the first would lose a b c
    gold = unit([(0, 2, "Task"), (1, 1, "Task")])
    assert ner_relaxed(gold, prediction([(1, 1, "Task"), (0, 2, "Task")])) == Counts(2, 2, 2)
    assert ner_relaxed(gold, prediction([(0, 1, "Task"), (0, 2, "Task"), (2, 2, "Task")])) == Counts(2, 3, 2)


def test_a_span_with_two_labels_counts_once():
    gold = unit([(0, 0, "Task"), (0, 0, "Method")])
    assert span_relaxed(gold, prediction([(0, 1, "Task"), (0, 1, "Method")])) == Counts(1, 1, 1)
    assert ner_relaxed(gold, prediction([(0, 1, "Task")])) == Counts(1, 1, 2)


RANGES = st.sets(
    st.tuples(st.integers(min_value=0, max_value=5), st.integers(min_value=1, max_value=4)), max_size=4
).map(lambda pairs: sorted((first, min(first + length - 1, 5)) for first, length in pairs))


@given(RANGES, RANGES)
def test_agrees_with_trying_every_matching(gold, predicted):
    gold, predicted = sorted(set(gold)), sorted(set(predicted))
    less, more = sorted((gold, predicted), key=len)
    best = max(
        sum(near(set(range(a, b + 1)), set(range(c, d + 1))) for (a, b), (c, d) in zip(less, chosen, strict=True))
        for chosen in permutations(more, len(less))
    )
    counts = ner_relaxed(
        unit([(*extents, "Task") for extents in gold]), prediction([(*extents, "Task") for extents in predicted])
    )
    assert counts == Counts(best, len(predicted), len(gold))
