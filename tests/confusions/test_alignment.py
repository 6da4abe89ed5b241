"""Alignment of predicted with gold spans: hand-worked cases, and optimality against brute force."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.confusions.alignment import MINIMUM_OVERLAP, align, overlap
from tabpo.records import PredictedSpan, Span


def gold(id_, start, end, label="A", sublabel=None):
    return Span(id_, label, sublabel, start, end)


def predicted(id_, start, end, label="A", sublabel=None):
    item_class = "span_not_in_text" if start is None else "ok"
    return PredictedSpan(id_, label, sublabel, "", start, end, item_class)


def test_exact_extents_win_over_a_better_label():
    # 0:10 is predicted twice: with exact extents as B, and one character shorter as A
    alignment = align([gold(1, 0, 10)], [predicted(1, 0, 9, "A"), predicted(2, 0, 10, "B")])
    assert alignment.matches == ((1, 2),)
    assert alignment.spurious == (1,)


def test_a_span_with_several_labels_pairs_each_record_with_its_own():
    records = [gold(1, 0, 5, "T", "None"), gold(2, 0, 5, "T", "Drug")]
    swapped = [predicted(1, 0, 5, "T", "Drug"), predicted(2, 0, 5, "T", "Dosage")]
    # Drug is paired with Drug, although Drug comes first; the remaining pair is a confusion None -> Dosage
    assert align(records, swapped).matches == ((1, 2), (2, 1))


def test_same_label_before_other_labels_of_the_same_extents():
    records = [gold(1, 0, 5, "E", "x"), gold(2, 0, 5, "T", "y")]
    answers = [predicted(1, 0, 5, "T", "z"), predicted(2, 0, 5, "S", "y")]
    assert align(records, answers).matches == ((1, 2), (2, 1))


def test_the_greatest_total_wins_over_the_single_best():
    # overlaps: (1, 1) 10/11, (1, 2) 6/10, (2, 1) 6/15, (2, 2) 1/15. Taking the best pair first gives 10/11 in total;
    # (1, 2) and (2, 1) together give 1
    spans = [gold(1, 10, 20), gold(2, 5, 15)]
    answers = [predicted(1, 9, 20), predicted(2, 14, 20)]
    assert overlap(spans[0], answers[0]) == pytest.approx(10 / 11)
    assert overlap(spans[1], answers[0]) == pytest.approx(6 / 15)
    assert align(spans, answers).matches == ((1, 2), (2, 1))


def test_minimum_overlap():
    # 34 of 100 characters are enough, 33 are not
    assert align([gold(1, 0, 100)], [predicted(1, 0, 34)]).matches == ((1, 1),)
    alignment = align([gold(1, 0, 100)], [predicted(1, 0, 33)])
    assert (alignment.matches, alignment.missed, alignment.spurious) == ((), (1,), (1,))


def test_equal_overlaps_go_to_the_same_label():
    spans = [gold(1, 0, 4, "A"), gold(2, 4, 8, "B")]
    assert align(spans, [predicted(1, 2, 6, "B")]).matches == ()  # 2/6 each: under the minimum
    assert align([gold(1, 0, 6, "A"), gold(2, 6, 12, "B")], [predicted(1, 3, 9, "B")]).matches == ()
    spans = [gold(1, 0, 6, "A"), gold(2, 2, 8, "B")]
    assert align(spans, [predicted(1, 1, 7, "B")]).matches == ((2, 1),)
    assert align(spans, [predicted(1, 1, 7, "A")]).matches == ((1, 1),)


def test_ungrounded_predictions_are_spurious():
    alignment = align([gold(1, 0, 5)], [predicted(1, None, None), predicted(2, 0, 5)])
    assert (alignment.matches, alignment.spurious) == (((1, 2),), (1,))


def test_nothing_to_align():
    assert align([], []).matches == ()
    assert align([], [predicted(1, 0, 1)]).spurious == (1,)
    assert align([gold(1, 0, 1)], []).missed == (1,)


extents = st.tuples(st.integers(0, 12), st.integers(1, 8)).map(lambda item: (item[0], item[0] + item[1]))


@given(
    st.lists(extents, max_size=4, unique=True),
    st.lists(extents, max_size=4, unique=True),
    st.lists(st.sampled_from("AB"), min_size=8, max_size=8),
)
def test_one_to_one_and_optimal(gold_extents, predicted_extents, labels):
    spans = [gold(i, *item, labels[i - 1]) for i, item in enumerate(gold_extents, start=1)]
    answers = [predicted(i, *item, labels[i + 3]) for i, item in enumerate(predicted_extents, start=1)]
    alignment = align(spans, answers)
    assert sorted([pair[0] for pair in alignment.matches] + list(alignment.missed)) == [span.id for span in spans]
    assert sorted([pair[1] for pair in alignment.matches] + list(alignment.spurious)) == [span.id for span in answers]

    exact = {span.id for span in spans if (span.start, span.end) in predicted_extents}
    assert exact <= {gold_id for gold_id, _ in alignment.matches}
    total = sum(overlap(spans[g - 1], answers[p - 1]) for g, p in alignment.matches if g not in exact)
    rest = [span for span in spans if span.id not in exact]
    others = [answer for answer in answers if (answer.start, answer.end) not in gold_extents]
    assert total == pytest.approx(best_total(rest, others), abs=1e-4)


def best_total(spans, answers):
    """Greatest sum of admissible overlaps over all one-to-one pairings."""
    padded = [*answers, *[None] * len(spans)]
    totals = [0.0]
    for order in permutations(padded, len(spans)):
        shares = [overlap(span, answer) for span, answer in zip(spans, order, strict=True) if answer is not None]
        totals.append(sum(share for share in shares if share >= MINIMUM_OVERLAP))
    return max(totals)
