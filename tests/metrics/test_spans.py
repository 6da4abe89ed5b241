"""The hand-worked cases of SCORING, in set counting."""

import pytest

from tabpo.answers.grounding import read_answer
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.spans import DIRECTED, ner_boundary, ner_strict, rel, rel_plus
from tests.metrics.cases import ABC, CANONICAL, GOLD_B, SCIENCE, percent, prediction, unit


def test_case_a():
    gold = unit([(0, 0, "Method"), (2, 3, "Task"), (5, 5, "Generic")])
    predicted = prediction([(0, 0, "Method"), (2, 3, "Method"), (5, 6, "Generic")])
    assert percent(ner_strict(gold, predicted)) == (33.33, 33.33, 33.33)
    assert percent(ner_boundary(gold, predicted)) == (66.67, 66.67, 66.67)


@pytest.mark.parametrize(
    ("predicted", "directed", "canonical"),
    [
        ([(1, 0, "COMPARE"), (0, 2, "USED-FOR")], (50, 50, 50), (100, 100, 100)),  # B
        ([(0, 1, "COMPARE")], (100, 50, 66.67), (100, 50, 66.67)),  # C
        ([(0, 2, "USED-FOR")], (100, 50, 66.67), (100, 50, 66.67)),  # C2
        ([(0, 1, "COMPARE"), (1, 0, "COMPARE"), (0, 2, "USED-FOR")], (66.67, 100, 80), (100, 100, 100)),  # C3
        ([(0, 1, "COMPARE"), (2, 0, "USED-FOR")], (50, 50, 50), (50, 50, 50)),  # a direction that matters
    ],
)
def test_cases_b_and_c(predicted, directed, canonical):
    gold, answer = unit(ABC, GOLD_B), prediction(ABC, predicted)
    for metric in (rel, rel_plus):
        assert percent(metric(gold, answer, DIRECTED)) == directed
        assert percent(metric(gold, answer, CANONICAL)) == canonical


def test_canonical_order_is_that_of_starts_alone():
    # a (0-0) and a b (0-1) start together: their order stays as annotated, on both sides
    nested = [(0, 0, "Method"), (0, 1, "Task")]
    gold, predicted = unit(nested, [(0, 1, "COMPARE")]), prediction(nested, [(1, 0, "COMPARE")])
    assert rel(gold, predicted, CANONICAL) == Counts(0, 1, 1)


def test_canonical_keeps_the_labels_with_their_ends():
    gold = unit([(0, 0, "Method"), (1, 1, "Task")], [(1, 0, "COMPARE")])
    right = prediction([(0, 0, "Method"), (1, 1, "Task")], [(0, 1, "COMPARE")])
    swapped = prediction([(0, 0, "Task"), (1, 1, "Method")], [(0, 1, "COMPARE")])
    assert rel_plus(gold, right, CANONICAL) == Counts(1, 1, 1)
    assert rel_plus(gold, swapped, CANONICAL) == Counts(0, 1, 1)


def test_case_d():
    gold = unit([(0, 0, "Method")])
    assert ner_strict(gold, prediction([(0, 0, "Method")] * 2)) == Counts(1, 1, 1)
    links = unit(ABC, [(0, 2, "USED-FOR")])
    assert rel(links, prediction(ABC, [(0, 2, "USED-FOR")] * 2), DIRECTED) == Counts(1, 1, 1)


def test_case_e_by_offsets():
    # one text at two offsets, predicted once: it takes the first offsets, and only these are right
    gold = unit([(0, 0, "Method"), (2, 2, "Method")], tokens="xyx")
    answer = '{"entities":[{"id":1,"label":"Method","span":"x"}],"relations":[]}'
    assert ner_strict(gold, read_answer(answer, gold, SCIENCE)) == Counts(1, 1, 2)


def test_case_f():
    gold = unit([(0, 0, "Method"), (2, 2, "Task")], [(0, 1, "USED-FOR")])
    predicted = prediction([(0, 0, "Method"), (2, 2, "Material")], [(0, 1, "USED-FOR")])
    assert percent(ner_strict(gold, predicted)) == (50, 50, 50)
    assert percent(rel(gold, predicted, DIRECTED)) == (100, 100, 100)
    assert percent(rel_plus(gold, predicted, DIRECTED)) == (0, 0, 0)


def test_case_g():
    # the tail is in the text, but its label is not in the ontology, so it is no predicted entity
    gold = unit([(0, 0, "Method"), (2, 2, "Task")], [(0, 1, "USED-FOR")])
    answer = (
        '{"entities":[{"id":1,"label":"Method","span":"a"},{"id":2,"label":"Problem","span":"c"}],'
        '"relations":[{"head":1,"label":"USED-FOR","tail":2}]}'
    )
    predicted = read_answer(answer, gold, SCIENCE)
    assert percent(rel(gold, predicted, DIRECTED)) == (100, 100, 100)
    assert rel_plus(gold, predicted, DIRECTED) == Counts(0, 1, 1)
    assert ner_strict(gold, predicted) == ner_boundary(gold, predicted) == Counts(1, 2, 2)


def test_case_h():
    gold, predicted = unit([]), prediction([])
    for counts in (ner_strict(gold, predicted), rel(gold, predicted, DIRECTED), rel_plus(gold, predicted, CANONICAL)):
        assert counts == Counts(0, 0, 0)


def test_case_i():
    gold = unit(ABC, GOLD_B)
    predicted = read_answer("Sure! Here you are:", gold, SCIENCE)
    assert ner_strict(gold, predicted) == Counts(0, 0, 3)
    assert rel(gold, predicted, DIRECTED) == Counts(0, 0, 2)


def test_micro_scores_are_sums_over_units():
    first, second = unit([(0, 0, "Task")]), unit([(0, 0, "Task"), (1, 1, "Task"), (2, 2, "Task")])
    counts = [ner_strict(first, prediction([(0, 0, "Task")])), ner_strict(second, prediction([]))]
    assert total(counts) == Counts(1, 1, 4)  # F 2/5, while the mean of F1 would be 1/2


def answer_of(entities, relations=""):
    items = ",".join(f'{{"id":{n},"label":"{label}","span":"{span}"}}' for n, (span, label) in enumerate(entities, 1))
    return f'{{"entities":[{items}],"relations":[{relations}]}}'


@pytest.mark.parametrize(
    ("entities", "strict", "boundary"),
    [
        ([("a", "Method")], Counts(1, 1, 3), Counts(1, 1, 3)),
        ([("A", "Method")], Counts(1, 1, 3), Counts(1, 1, 3)),  # case folded: flagged, and right
        ([("a", "Person")], Counts(0, 1, 3), Counts(0, 1, 3)),  # unknown label
        ([("z", "Method")], Counts(0, 1, 3), Counts(0, 1, 3)),  # not in the text
        ([("z", "Method"), ("z", "Method")], Counts(0, 1, 3), Counts(0, 1, 3)),  # a repeated item counts once
        ([("z", "Method"), ("y", "Method")], Counts(0, 2, 3), Counts(0, 2, 3)),
        ([("", "Method"), ("a", "Method")], Counts(1, 2, 3), Counts(1, 2, 3)),
        ([("a", "Method"), ("a", "Task")], Counts(1, 1, 3), Counts(1, 1, 3)),  # a duplicate is dropped
        ([("a", "Task"), ("a", "Method")], Counts(0, 1, 3), Counts(1, 1, 3)),  # and the first item stays
    ],
)
def test_faulty_items_count_as_predicted_and_are_never_right(entities, strict, boundary):
    gold = unit(ABC)
    predicted = read_answer(answer_of(entities), gold, SCIENCE)
    assert ner_strict(gold, predicted) == strict
    assert ner_boundary(gold, predicted) == boundary


@pytest.mark.parametrize(
    ("relation", "counts"),
    [
        ('{"head":1,"label":"USED-FOR","tail":2}', Counts(1, 1, 1)),
        ('{"head":3,"label":"USED-FOR","tail":2}', Counts(1, 1, 1)),  # 3 repeats 1
        ('{"head":1,"label":"LIKES","tail":2}', Counts(0, 1, 1)),
        ('{"head":1,"label":"USED-FOR","tail":9}', Counts(0, 1, 1)),
        ('{"head":1,"label":"USED-FOR","tail":1}', Counts(0, 1, 1)),
        ('{"head":1,"label":"USED-FOR","tail":2},{"head":3,"label":"USED-FOR","tail":2}', Counts(1, 1, 1)),
        ('{"head":1,"label":"USED-FOR","tail":2},{"head":9,"label":"USED-FOR","tail":2}', Counts(1, 2, 1)),
    ],
)
def test_relations_by_id(relation, counts):
    gold = unit([(0, 0, "Method"), (2, 2, "Task")], [(0, 1, "USED-FOR")])
    predicted = read_answer(answer_of([("a", "Method"), ("c", "Task"), ("a", "Method")], relation), gold, SCIENCE)
    assert rel(gold, predicted, DIRECTED) == counts
    assert rel_plus(gold, predicted, DIRECTED) == counts


def test_any_label_of_a_span_may_be_the_right_one():
    gold = unit([(0, 0, "Method"), (2, 2, "Task")], [(0, 1, "USED-FOR")])
    predicted = prediction([(0, 0, "Method"), (2, 2, "Material"), (2, 2, "Task")], [(0, 1, "USED-FOR")])
    assert rel_plus(gold, predicted, DIRECTED) == Counts(1, 1, 1)
