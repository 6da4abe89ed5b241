from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import document_units
from tabpo.metrics.coreference import b_cubed, ceaf_e, muc
from tabpo.metrics.names import HEADLINE
from tabpo.metrics.scores import all_scores
from tabpo.records import Document, PredictedSpan, Prediction, Span

ONTOLOGY = read_ontology(Path(__file__).parents[2] / "config/ontologies/scierc.yaml")

# The worked example of Pradhan et al. (2014): h and i are only in the response, e only in the key.
KEY = [set("abc"), set("defg")]
RESPONSE = [set("ab"), set("cd"), set("fghi")]


@pytest.mark.parametrize(
    ("metric", "precision", "recall"),
    [
        (muc, (1 + 0 + 1) / (1 + 1 + 3), (1 + 1) / (2 + 3)),
        (b_cubed, (4 / 2 + 1 / 2 + 1 / 2 + 4 / 4) / 8, (4 / 3 + 1 / 3 + 1 / 4 + 4 / 4) / 7),
        (ceaf_e, (2 * 2 / 5 + 2 * 2 / 8) / 3, (2 * 2 / 5 + 2 * 2 / 8) / 2),
    ],
)
def test_worked_example(metric, precision, recall):
    sums = metric(KEY, RESPONSE)
    assert (sums.precision, sums.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert sums.f1 == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("metric", [muc, b_cubed, ceaf_e])
def test_one_side_without_clusters(metric):
    assert metric([], []).f1 == metric(KEY, []).f1 == metric([], KEY).f1 == 0
    assert metric(KEY, []).gold > 0 == metric(KEY, []).predicted
    assert metric([], KEY).predicted > 0 == metric([], KEY).gold


PARTITIONS = st.lists(st.integers(min_value=0, max_value=4), min_size=2, max_size=9).map(
    lambda groups: [
        {mention for mention, group in enumerate(groups) if group == cluster}
        for cluster in sorted(set(groups))
        if groups.count(cluster) > 1
    ]
)


@given(PARTITIONS, PARTITIONS)
def test_swapping_sides_swaps_precision_and_recall_and_only_gold_scores_one(gold, predicted):
    for metric in (muc, b_cubed, ceaf_e):
        there, back = metric(gold, predicted), metric(predicted, gold)
        assert (there.precision, there.recall) == pytest.approx((back.recall, back.precision))
        assert 0 <= there.f1 <= 1 + 1e-9
        if gold:
            assert metric(gold, gold).f1 == pytest.approx(1)
            assert (there.f1 == pytest.approx(1)) == (sorted(map(sorted, gold)) == sorted(map(sorted, predicted)))


def document(clusters, doc_id="d"):
    spans = tuple(Span(number, "Task", None, 2 * number - 2, 2 * number - 1) for number in range(1, 10))
    text = " ".join("abcdefghi")
    return document_units(
        Document(doc_id, None, text, tuple("abcdefghi"), ((0, 9),), spans, clusters=clusters), "document"
    )[0]


def prediction(clusters):
    spans = (PredictedSpan(n, "Task", None, "", 2 * n - 2, 2 * n - 1, "ok") for n in range(1, 10))
    return Prediction("d", "ok", tuple(spans), clusters=clusters)


def scores_of_documents(units, predictions):
    scores = all_scores(units, predictions, {}, ONTOLOGY)
    return {metric: scores[metric][HEADLINE] for metric in ("muc", "b_cubed", "ceaf_e", "conll")}


def test_documents_are_summed():
    # the worked example, and a document whose cluster is completely right
    units = [document(((1, 2, 3), (4, 5, 6, 7))), document(((1, 2),))]
    predictions = [prediction(((1, 2), (3, 4), (6, 7, 8, 9))), prediction(((2, 1),))]
    scores = scores_of_documents(units, predictions)
    assert scores["muc"] == {"precision": 3 / 6, "recall": 3 / 6, "f1": 3 / 6}
    assert scores["b_cubed"]["recall"] == pytest.approx((35 / 12 + 2) / 9)
    assert scores["ceaf_e"]["precision"] == pytest.approx((0.8 + 0.5 + 1) / 4)
    assert scores["conll"] == {"f1": pytest.approx((0.5 + scores["b_cubed"]["f1"] + scores["ceaf_e"]["f1"]) / 3)}


def test_single_mentions_are_no_clusters():
    # a cluster of one mention on either side changes nothing
    plain = scores_of_documents([document(((1, 2),))], [prediction(((1, 2),))])
    assert scores_of_documents([document(((1, 2), (3,)))], [prediction(((1, 2), (4,), (5, 5)))]) == plain
    assert plain["conll"] == {"f1": 1}
