import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.metrics.counts import Counts, set_counts, total

NUMBERS = st.integers(min_value=0, max_value=1000)


def test_hand_worked_numbers():
    counts = Counts(tp=2, predicted=4, gold=8)  # P 1/2, R 1/4, F = 2 * 1/8 / (3/4) = 1/3
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 0.25, pytest.approx(1 / 3))


def test_scores_without_items_are_zero():
    nothing = Counts(0, 0, 0)  # case H: adds nothing
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    assert total([]) == nothing
    assert Counts(1, 2, 3) + nothing == Counts(1, 2, 3)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1))
def test_f1_is_the_harmonic_mean_of_the_sums(drawn):
    rows = [(tp, tp + wrong, tp + missed) for tp, wrong, missed in drawn]
    counts = total(Counts(*row) for row in rows)
    assert (counts.tp, counts.predicted, counts.gold) == tuple(map(sum, zip(*rows, strict=True)))
    precision, recall = counts.precision, counts.recall
    if precision + recall:
        assert counts.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_set_counting():
    # D: a repeated prediction counts once
    assert set_counts(["x"], [("x", True), ("x", True)]) == Counts(1, 1, 1)
    # a faulty item counts as predicted and is never right, unless a sound item has the same key
    assert set_counts(["x", "y"], [("x", False), ("z", True)]) == Counts(0, 2, 2)
    assert set_counts(["x"], [("x", False), ("x", True)]) == Counts(1, 1, 1)


@given(st.sets(NUMBERS), st.lists(st.tuples(NUMBERS, st.booleans())))
def test_set_counts_are_consistent(gold, predicted):
    counts = set_counts(gold, predicted)
    assert 0 <= counts.tp <= min(counts.predicted, counts.gold)
    assert 0 <= counts.f1 <= 1
