import pytest

from tabpo.metrics.validity import class_counts, empty_share, rates, repetition
from tabpo.records import PredictedRelation, PredictedSpan, Prediction


def span(number, item_class, start):
    return PredictedSpan(number, "Task", None, "x", start, start and start + 1, item_class)


PREDICTIONS = [
    Prediction(
        "a", "ok", (span(1, "ok", 2), span(2, "empty_span", None)), (PredictedRelation(1, 1, "X", "ok"),), ((1, 2),)
    ),
    Prediction("b", "ok", ()),
    Prediction("c", "truncated", ()),
    Prediction("d", "empty", ()),
]


def test_counts_and_rates_of_classes():
    counts = class_counts(PREDICTIONS)
    assert [counts["answers"][name] for name in ("ok", "truncated", "empty", "not_json")] == [2, 1, 1, 0]
    assert [counts["items"][name] for name in ("ok", "empty_span", "duplicate")] == [2, 1, 0]
    assert counts["clusters"] == {"dangling_mention": 1, "single_mention": 0, "shared_mention": 0, "ok": 0}
    shares = rates(counts)
    assert shares["answers"]["ok"] == 0.5
    assert shares["items"]["empty_span"] == pytest.approx(1 / 3)
    assert [sum(by_class.values()) for by_class in shares.values()] == pytest.approx([1, 1, 1])
    assert set(rates(class_counts(PREDICTIONS[3:]))["items"].values()) == {0}


def test_share_of_empty_answers():
    assert empty_share(PREDICTIONS) == 0.25


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["a b c d e"], 0),
        (["a b c d a b c d"], 1 / 5),  # abcd bcda cdab dabc abcd: one of five repeats another
        (["a a a a a a a"], 3 / 4),  # four sequences, all equal
        (["a b c d", "a b c d"], 0),  # a sequence of another text is no repetition
        (["a b c"], 0),
        (['{"x":1}'], 0),
    ],
)
def test_repetition(texts, share):
    assert repetition(texts) == pytest.approx(share)
