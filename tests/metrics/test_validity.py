import pytest

from tabpo.answers.units import Unit
from tabpo.metrics.by_cluster import cluster_counts, clusters_metadata
from tabpo.metrics.names import VALIDITY
from tabpo.metrics.validity import class_counts, empty_share, rates, repetition, validity
from tabpo.records import (
    ClusterCounts,
    Document,
    PredictedRelation,
    PredictedSpan,
    Prediction,
    Relation,
    Span,
    write_records,
)
from tabpo.tables.cells import metric_value
from tabpo.tables.estimates import read_estimates


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


def unit(name, spans, relations=0):
    gold = tuple(Span(number, "Task", None, number, number + 1) for number in range(1, spans + 1))
    return Unit(name, name, 0, "x" * 9, (), gold, tuple(Relation(1, 2, "X") for _ in range(relations)), None)


def test_shares_of_a_file_by_hand_and_without_each_document(tmp_path):
    units = [unit("a", 2, 1), unit("b", 1), unit("c", 2), unit("d", 0)]
    answers = [
        Prediction("a", "ok", (span(1, "ok", 2), span(2, "unknown_label", 4)), (PredictedRelation(1, 2, "X", "ok"),)),
        *PREDICTIONS[1:3],
        Prediction("d", "ok", (span(1, "invalid_pair", 1),)),
    ]
    shares = validity(units, answers)
    assert shares == pytest.approx(
        {"valid": 3 / 4, "label_valid": 2 / 4, "empty": 1 / 4, "cut_off": 1 / 4, "items_written": 4 / 6}
    )
    assert validity(units[3:], PREDICTIONS[3:]) == dict.fromkeys(VALIDITY, 0.0)
    documents = [Document(one.doc_id, None, one.text, (), (), ()) for one in units]
    counts = cluster_counts(documents, units, [{}] * 4, answers)
    write_records(tmp_path / "counts.parquet", ClusterCounts, counts, clusters_metadata(counts))
    estimates = read_estimates(tmp_path / "counts.parquet", VALIDITY).metrics
    assert {name: values.whole[0] for name, values in estimates.items()} == pytest.approx(
        {name: metric_value(shares, name) for name in VALIDITY}
    )
    # without a: 1 of 3 gold items; without b: 4 of 5; without c: 4 of 4; without d: 3 of 6
    assert estimates["items_written"].without[0] == pytest.approx([100 / 3, 80, 100, 50])
    assert metric_value({"valid": 1.0}, "items_written") is None


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
