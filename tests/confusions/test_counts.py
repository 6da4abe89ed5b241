"""The confusion table: hand-worked units, every kind of row, and the cases that are left out."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType, read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.confusions.counts import UNKNOWN, boundary_shape, count_confusions, wilson_interval
from tabpo.data.readers import phee, scierc
from tabpo.errors import DataError
from tabpo.records import Document, PredictedRelation, PredictedSpan, Prediction, Relation, Span

ENTITIES = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in ("Method", "Task", "Generic")},
    relations={
        "USED-FOR": RelationType("", symmetric=False),
        "PART-OF": RelationType("", symmetric=False),
        "COMPARE": RelationType("", symmetric=True),
    },
)
RESULTS = Ontology(
    answer="results",
    labels={"Treatment": Label("", {"None": "", "Drug": "", "Dosage": ""}), "Effect": Label("", {"None": ""})},
    relations={},
)
WORDS = [f"w{number}" for number in range(10)]  # token n is characters 3n to 3n + 2


def unit(spans, relations=()):
    document = Document("d", None, " ".join(WORDS), tuple(WORDS), ((0, 10),), tuple(spans), tuple(relations))
    return document_units(document, "sentence")[0]


def gold(id_, first, last, label, sublabel=None):
    return Span(id_, label, sublabel, 3 * first, 3 * last + 2)


def predicted(id_, first, last, label, sublabel=None, item_class="ok"):
    start, end = (None, None) if first is None else (3 * first, 3 * last + 2)
    text = "elsewhere" if first is None else " ".join(WORDS[first : last + 1])
    return PredictedSpan(id_, label, sublabel, text, start, end, item_class)


def link(head, label, tail, item_class="ok"):
    return PredictedRelation(head, tail, label, item_class)


def count(units, predictions, ontology=ENTITIES):
    rows, left_out = count_confusions(units, predictions, ontology)
    return {(row.kind, row.gold, row.predicted): row for row in rows}, left_out


def counts(units, predictions, ontology=ENTITIES):
    return {key: row.count for key, row in count(units, predictions, ontology)[0].items()}


def answer(spans, relations=()):
    return Prediction("d#0", "ok", tuple(spans), tuple(relations))


def test_spans_by_hand():
    # Method 0-1 right; Task 3 predicted as Method and extended; Generic 6 missed; Method 8 spurious
    gold_unit = unit([gold(1, 0, 1, "Method"), gold(2, 3, 3, "Task"), gold(3, 6, 6, "Generic")])
    prediction = answer([predicted(1, 0, 1, "Method"), predicted(2, 3, 4, "Method"), predicted(3, 8, 8, "Method")])
    assert counts([gold_unit], [prediction]) == {
        ("label", "Method", "Method"): 1,
        ("label", "Task", "Method"): 1,
        ("boundary", "Method", "exact"): 1,
        ("boundary", "Task", "extended"): 1,
        ("missed", "Method", "Method"): 1,
        ("missed", "Task", "Task"): 1,
        ("missed", "Generic", "NONE"): 1,
        ("spurious", "NONE", "Method"): 1,
    }


def test_the_order_of_units_does_not_matter():
    documents = [
        Document(name, None, " ".join(WORDS), tuple(WORDS), ((0, 10),), (gold(1, 0, 1, "Method"),)) for name in "abc"
    ]
    units = [item for document in documents for item in document_units(document, "sentence")]
    predicted_spans = [predicted(1, 0, 1, "Method"), predicted(1, 0, 1, "Task"), predicted(1, 0, 2, "Method")]
    predictions = [Prediction(f"{name}#0", "ok", (span,)) for name, span in zip("abc", predicted_spans, strict=True)]
    rows, left_out = count_confusions(units, predictions, ENTITIES)
    assert count_confusions(units[::-1], predictions, ENTITIES) == (rows, left_out)
    assert count_confusions(units, predictions[::-1], ENTITIES) == (rows, left_out)


def test_probabilities_are_of_all_cases_with_that_gold_value():
    units = [unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Method"), gold(3, 4, 4, "Method"), gold(4, 6, 6, "Method")])]
    prediction = answer([predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Task"), predicted(3, 4, 4, "Method")])
    rows, _ = count(units, [prediction])
    assert rows["label", "Method", "Task"].probability == pytest.approx(1 / 3)
    assert rows["label", "Method", "Method"].probability == pytest.approx(2 / 3)
    assert rows["missed", "Method", "NONE"].probability == pytest.approx(1 / 4)
    assert rows["missed", "Method", "NONE"].low == pytest.approx(binomtest(1, 4).proportion_ci(method="wilson").low)


@pytest.mark.parametrize(
    ("extents", "shape"),
    [
        ((3, 9), "exact"),
        ((3, 8), "shortened"),
        ((4, 9), "shortened"),
        ((4, 8), "shortened"),
        ((2, 9), "extended"),
        ((3, 10), "extended"),
        ((2, 10), "extended"),
        ((2, 8), "shifted"),
        ((4, 10), "shifted"),
    ],
)
def test_boundary_shapes(extents, shape):
    assert boundary_shape(3, 9, *extents) == shape


def test_relations_by_hand():
    spans = [gold(number, 2 * number - 2, 2 * number - 2, "Method") for number in range(1, 6)]  # tokens 0 2 4 6 8
    relations = [
        Relation(1, 2, "USED-FOR"),  # right
        Relation(1, 3, "USED-FOR"),  # predicted as PART-OF
        Relation(2, 3, "PART-OF"),  # reversed
        Relation(3, 4, "COMPARE"),  # reversed, which does not matter for a symmetric relation
        Relation(1, 4, "PART-OF"),  # predicted with 5 as its tail
        Relation(2, 4, "COMPARE"),  # missed
    ]
    predicted_spans = [predicted(number + 10, 2 * number - 2, 2 * number - 2, "Method") for number in range(1, 6)]
    links = [
        link(11, "USED-FOR", 12),
        link(11, "PART-OF", 13),
        link(13, "PART-OF", 12),
        link(14, "COMPARE", 13),
        link(11, "PART-OF", 15),
        link(14, "USED-FOR", 15),  # spurious
    ]
    cases = counts([unit(spans, relations)], [answer(predicted_spans, links)])
    assert {key: n for key, n in cases.items() if key[0].startswith("relation")} == {
        ("relation_label", "USED-FOR", "USED-FOR"): 1,
        ("relation_label", "USED-FOR", "PART-OF"): 1,
        ("relation_label", "PART-OF", "PART-OF"): 1,
        ("relation_label", "COMPARE", "COMPARE"): 1,
        ("relation_direction", "USED-FOR", "kept"): 2,
        ("relation_direction", "PART-OF", "reversed"): 1,
        ("relation_endpoint", "USED-FOR", "kept"): 2,
        ("relation_endpoint", "PART-OF", "kept"): 1,
        ("relation_endpoint", "COMPARE", "kept"): 1,
        ("relation_endpoint", "PART-OF", "tail"): 1,
        ("relation_missed", "USED-FOR", "USED-FOR"): 2,
        ("relation_missed", "PART-OF", "PART-OF"): 1,
        ("relation_missed", "COMPARE", "COMPARE"): 1,
        ("relation_missed", "COMPARE", "NONE"): 1,
        ("relation_spurious", "NONE", "USED-FOR"): 1,
    }


def test_the_best_agreement_is_taken_when_one_pair_has_two_relations():
    spans = [gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")]
    links = [link(2, "USED-FOR", 1), link(1, "PART-OF", 2), link(1, "USED-FOR", 2)]
    prediction = answer([predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Task")], links)
    cases = counts([unit(spans, [Relation(1, 2, "USED-FOR")])], [prediction])
    assert cases["relation_label", "USED-FOR", "USED-FOR"] == 1
    assert cases["relation_direction", "USED-FOR", "kept"] == 1
    assert ("relation_spurious", "NONE", "USED-FOR") in cases
    assert ("relation_spurious", "NONE", "PART-OF") in cases


def test_a_label_confused_with_a_symmetric_one_has_no_direction():
    spans = [gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")]
    prediction = answer([predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Task")], [link(2, "COMPARE", 1)])
    cases = counts([unit(spans, [Relation(1, 2, "USED-FOR")])], [prediction])
    assert cases["relation_label", "USED-FOR", "COMPARE"] == 1
    assert not [key for key in cases if key[0] == "relation_direction"]


def test_relations_that_follow_from_span_errors_are_counted_apart():
    # gold relation 1-2 with 2 missed; predicted relation from 1 to a spurious span
    gold_unit = unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")], [Relation(1, 2, "USED-FOR")])
    prediction = answer([predicted(1, 0, 0, "Method"), predicted(2, 8, 8, "Task")], [link(2, "PART-OF", 1)])
    rows, left_out = count([gold_unit], [prediction])
    assert not [key for key in rows if key[0].startswith("relation")]
    assert left_out["relations_of_unaligned_spans"] == 2


def test_wrong_end_at_an_invented_span():
    gold_unit = unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")], [Relation(1, 2, "USED-FOR")])
    prediction = answer([predicted(1, 0, 0, "Method"), predicted(2, 8, 8, "Task")], [link(1, "USED-FOR", 2)])
    rows, left_out = count([gold_unit], [prediction])
    assert rows["relation_endpoint", "USED-FOR", "tail"].count == 1
    assert left_out["relations_of_unaligned_spans"] == 0


def test_wrong_end_of_a_symmetric_relation():
    spans = [gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task"), gold(3, 4, 4, "Task")]
    predicted_spans = [predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Task"), predicted(3, 4, 4, "Task")]
    cases = counts([unit(spans, [Relation(1, 2, "COMPARE")])], [answer(predicted_spans, [link(2, "COMPARE", 3)])])
    assert cases["relation_endpoint", "COMPARE", "head"] == 1


def test_a_relation_to_a_duplicate_counts_at_its_place():
    gold_unit = unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")], [Relation(1, 2, "USED-FOR")])
    spans = [
        predicted(1, 0, 0, "Method"),
        predicted(2, 2, 2, "Task"),
        predicted(3, 2, 2, "Task", item_class="duplicate"),
    ]
    rows, left_out = count([gold_unit], [answer(spans, [link(1, "USED-FOR", 3)])])
    assert rows["relation_label", "USED-FOR", "USED-FOR"].count == 1
    assert left_out["duplicates"] == 1
    assert ("spurious", "NONE", "Task") not in rows


def whole(clusters):
    spans = [gold(number, number, number, "Method") for number in range(1, 6)]
    document = Document("d", None, " ".join(WORDS), tuple(WORDS), ((0, 10),), tuple(spans), (), tuple(clusters))
    return document_units(document, "document")[0]


def linked(clusters, left_out=()):
    spans = [predicted(number + 10, number, number, "Task") for number in range(1, 6) if number not in left_out]
    return Prediction("d", "ok", (*spans, predicted(99, 8, 8, "Task")), (), tuple(clusters))


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        # 1 and 2 have no antecedent; 3 has 1, 4 has 2, 5 has 4
        ([(1, 3), (2, 4, 5)], [(11, 13), (12, 14, 15)], {("Method", "kept"): 3, ("NONE", "NONE"): 2}),
        # an antecedent further back is in the gold cluster too
        (
            [(1, 3), (2, 4, 5)],
            [(11, 13), (12, 15)],
            {("Method", "kept"): 2, ("Method", "removed"): 1, ("NONE", "NONE"): 2},
        ),
        # two clusters joined: 2, the first of its cluster, gets an antecedent, and 3 and 4 get a wrong one
        (
            [(1, 3), (2, 4, 5)],
            [(11, 12, 13, 14, 15)],
            {("Method", "kept"): 1, ("Method", "moved"): 2, ("NONE", "NONE"): 1, ("NONE", "added"): 1},
        ),
        ([], [(11, 12)], {("NONE", "NONE"): 4, ("NONE", "added"): 1}),
        # mentions aligned with no gold span link nothing
        ([], [(11, 99)], {("NONE", "NONE"): 5}),
    ],
)
def test_coreference_by_hand(right, wrong, expected):
    cases = counts([whole(right)], [linked(wrong)])
    assert {key[1:]: n for key, n in cases.items() if key[0] == "coreference"} == expected


def test_a_missed_mention_is_no_antecedent():
    # 2 of 1-2-3 is missed, so the antecedent of 3 is 1 in gold and in the answer
    cases = counts([whole([(1, 2, 3)])], [linked([(11, 13)], left_out=[2])])
    assert {key[1:]: n for key, n in cases.items() if key[0] == "coreference"} == {
        ("Method", "kept"): 1,
        ("NONE", "NONE"): 3,
    }


def test_sentences_have_no_links():
    prediction = Prediction("d#0", "ok", (predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Method")), (), ((1, 2),))
    cases = counts([unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Method")])], [prediction])
    assert not [key for key in cases if key[0] == "coreference"]


def test_medical_answers_have_no_links():
    document = Document("d", None, " ".join(WORDS), tuple(WORDS), ((0, 10),), (gold(1, 0, 0, "Effect", "None"),))
    prediction = Prediction("d", "ok", (predicted(1, 0, 0, "Effect", "None"),))
    cases = counts(document_units(document, "document"), [prediction], RESULTS)
    assert not [key for key in cases if key[0] == "coreference"]


def test_sublabels_are_compared_where_the_label_is_right():
    spans = [gold(1, 0, 0, "Treatment", "Drug"), gold(2, 2, 2, "Treatment", "None"), gold(3, 4, 4, "Effect", "None")]
    predicted_spans = [
        predicted(1, 0, 0, "Treatment", "Dosage"),
        predicted(2, 2, 2, "Effect", "None"),
        predicted(3, 4, 4, "Effect", "Drug", "invalid_pair"),
    ]
    cases = counts([unit(spans)], [answer(predicted_spans)], RESULTS)
    assert {key: n for key, n in cases.items() if key[0] in ("label", "sublabel")} == {
        ("label", "Treatment", "Treatment"): 1,
        ("label", "Treatment", "Effect"): 1,
        ("label", "Effect", "Effect"): 1,
        ("sublabel", "Drug", "Dosage"): 1,
        ("sublabel", "None", UNKNOWN): 1,
    }


def test_labels_outside_the_ontology_are_never_quoted():
    spans = [
        predicted(1, 0, 0, "Jane Doe", item_class="unknown_label"),
        predicted(2, None, None, "secret", None, "unknown_label"),
    ]
    links = [link(1, "is married to", 3, "unknown_label")]
    gold_unit = unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")], [Relation(1, 2, "USED-FOR")])
    cases = counts([gold_unit], [answer([*spans, predicted(3, 2, 2, "Task")], links)])
    assert cases["label", "Method", UNKNOWN] == 1
    assert cases["spurious", "NONE", UNKNOWN] == 1
    assert cases["relation_label", "USED-FOR", UNKNOWN] == 1
    assert not [key for key in cases if "Doe" in "".join(key) or "secret" in "".join(key)]


def test_dangling_and_self_relations_are_not_counted():
    gold_unit = unit([gold(1, 0, 0, "Method"), gold(2, 2, 2, "Task")])
    links = [link(1, "USED-FOR", 9, "dangling_relation"), link(1, "USED-FOR", 1, "self_relation")]
    cases = counts([gold_unit], [answer([predicted(1, 0, 0, "Method"), predicted(2, 2, 2, "Task")], links)])
    assert not [key for key in cases if key[0].startswith("relation")]


def test_unreadable_answers_are_only_counted():
    document = Document("d", None, " ".join(WORDS), tuple(WORDS), ((0, 5), (5, 10)), (gold(1, 0, 0, "Method"),))
    units = document_units(document, "sentence")
    predictions = [answer([predicted(1, 0, 0, "Method")]), Prediction("d#1", "truncated", ())]
    rows, left_out = count(units, predictions)
    assert left_out["unreadable"] == 1
    assert set(rows) == {("label", "Method", "Method"), ("boundary", "Method", "exact"), ("missed", "Method", "Method")}
    nothing = {"unreadable": 1, "duplicates": 0, "relations_of_unaligned_spans": 0}
    assert count([unit([gold(1, 0, 0, "Method")])], [Prediction("d#0", "not_json", ())]) == ({}, nothing)


def test_predictions_must_be_of_these_units():
    with pytest.raises(DataError, match="2 ids are on one side only"):
        count([unit([])], [Prediction("other#0", "ok", ())])
    with pytest.raises(DataError, match="each once"):
        count([unit([])], [answer([]), answer([])])


def repeated(spans, relations, clusters):
    """A document of two sentences that begin with the same word."""
    tokens = ("net", "for", "parsing", "net", "of", "parsing", "texts")
    starts = (0, 4, 8, 16, 20, 23, 31)
    placed = tuple(
        Span(number, label, None, starts[at], starts[at] + len(tokens[at]))
        for number, (label, at) in enumerate(spans, start=1)
    )
    relations = tuple(Relation(*relation) for relation in relations)
    document = Document("d", None, " ".join(tokens), tokens, ((0, 3), (3, 7)), placed, relations, tuple(clusters))
    return document_units(document, "document")[0]


def errors(units, ontology):
    """Number of errors by kind that are counted when gold answers are read like a model's."""
    answers = [read_answer(render(gold_answer(item), ontology.answer), item, ontology) for item in units]
    rows, _ = count_confusions(units, answers, ontology)
    wrong = Counter()
    for row in rows:
        wrong[row.kind] += row.count if row.predicted not in (row.gold, "exact", "kept") else 0
    return dict(+wrong)


def test_gold_that_repeats_a_text_is_not_confused():
    # parsing is at tokens 2 and 5, and only the second is annotated; leftmost placing would take the first
    item = repeated([("Method", 0), ("Method", 3), ("Task", 5)], [(2, 3, "USED-FOR")], [(1, 2)])
    assert read_answer(render(gold_answer(item), "entities"), item, ENTITIES).spans[2].start == 8
    assert errors([item], ENTITIES) == {}


def test_gold_is_confused_if_the_order_does_not_tell_the_occurrence():
    # both occurrences of parsing are after "for": the first is taken, but gold has the second
    item = repeated([("Method", 1), ("Task", 5)], [(1, 2, "USED-FOR")], [])
    assert errors([item], ENTITIES) == {"missed": 1, "spurious": 1, "relation_endpoint": 1}


# Out of 1,685, 1,685 and 6,566 spans. Leftmost placing would count 138, 14 and 55 of them as missed.
@pytest.mark.parametrize(
    ("source", "unit_of", "expected"),
    [
        (scierc, "document", {"missed": 13, "spurious": 13, "relation_endpoint": 12}),
        (scierc, "sentence", {"missed": 3, "spurious": 3, "relation_endpoint": 2}),
        (phee, "document", {"missed": 4, "spurious": 4}),
    ],
)
def test_confusions_of_gold_in_real_data(data_root, source, unit_of, expected):
    name = source.__name__.split(".")[-1]
    documents = source.read_documents(data_root / name / "test.json")
    units = [item for document in documents for item in document_units(document, unit_of)]
    ontology = read_ontology(Path(__file__).parents[2] / f"config/ontologies/{name}.yaml")
    assert errors(units, ontology) == expected


def test_wilson_by_hand():
    # 8 of 10, z = 1.96: centre (0.8 + 0.19207) / 1.38415, half width 1.96 sqrt(0.016 + 0.0096036) / 1.38415
    low, high = wilson_interval(8, 10)
    assert (low, high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_agrees_with_scipy(case):
    expected = binomtest(*case).proportion_ci(method="wilson")
    assert wilson_interval(*case) == pytest.approx((expected.low, expected.high), abs=1e-9)
