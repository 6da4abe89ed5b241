from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import document_units
from tabpo.data.readers import phee, scierc
from tabpo.data.splitting import halve_dev
from tabpo.inference.dictionary import THRESHOLDS, annotate, best_threshold, build_dictionary, majority
from tabpo.metrics.scores import all_scores, strict_f1
from tabpo.records import Document, Span


def unit(text, *mentions, doc_id="d"):
    """A unit with mentions (text, label) or (text, label, sub-label), each at the first occurrence of its text."""
    spans = []
    for number, (surface, label, *sublabel) in enumerate(mentions, start=1):
        start = text.index(surface)
        spans.append(Span(number, label, sublabel[0] if sublabel else None, start, start + len(surface)))
    tokens = tuple(text.split())
    document = Document(doc_id, None, text, tokens, ((0, len(tokens)),), tuple(spans))
    return document_units(document, "document")[0]


def spans_of(dictionary, text, threshold=0.0):
    return [
        (span.text, span.label, span.sublabel, span.start, span.end)
        for span in annotate(dictionary, unit(text), threshold).spans
    ]


def test_share_is_annotated_by_all_occurrences():
    # "model" is annotated in 1 of its 3 occurrences, "parser" in 2 of 2
    units = [
        unit("a model and a model", ("model", "Method")),
        unit("the parser , the model", ("parser", "Method")),
        unit("parser", ("parser", "Task")),
    ]
    entries = build_dictionary(units).entries
    assert entries == {
        ("model",): ((("Method", None),), pytest.approx(1 / 3)),
        ("parser",): ((("Method", None),), 1.0),  # of equally frequent labels the alphabetically first
    }


def test_the_most_frequent_label_wins():
    units = [unit("x", ("x", label)) for label in ("Task", "Method", "Task")]
    assert build_dictionary(units).entries[("x",)] == ((("Task", None),), 1.0)


def test_a_span_with_several_labels_keeps_its_most_frequent_set():
    both = unit("take aspirin", ("aspirin", "Drug", "None"), ("aspirin", "Drug", "Name"))
    single = unit("take aspirin", ("aspirin", "Drug", "None"))
    entry = build_dictionary([both, single, both]).entries[("aspirin",)]
    assert entry == ((("Drug", "Name"), ("Drug", "None")), 1.0)
    assert spans_of(build_dictionary([both]), "no aspirin.") == [
        ("aspirin", "Drug", "Name", 3, 10),
        ("aspirin", "Drug", "None", 3, 10),
    ]


def test_majority_gives_every_mention_the_most_frequent_labels():
    units = [unit("x y", ("x", "Task")), unit("x y", ("x", "Task"), ("y", "Method")), unit("y", ("y", "Method"))]
    units.append(unit("z", ("z", "Task")))
    rows = build_dictionary(units), majority(build_dictionary(units))
    by_form, by_majority = ([(*span[:2], *span[3:]) for span in spans_of(row, "x y z")] for row in rows)
    assert by_form == [("x", "Task", 0, 1), ("y", "Method", 2, 3), ("z", "Task", 4, 5)]
    assert by_majority == [("x", "Task", 0, 1), ("y", "Task", 2, 3), ("z", "Task", 4, 5)]
    assert spans_of(majority(build_dictionary([unit("x")])), "x") == []


def test_longest_match_from_left_to_right_without_overlap():
    units = [
        unit("speech recognition system", ("speech recognition", "Task"), ("recognition system", "Method")),
        unit("a system", ("system", "Method")),
        unit("speech", ("speech", "Material")),
    ]
    dictionary = build_dictionary(units)
    assert spans_of(dictionary, "speech recognition system") == [
        ("speech recognition", "Task", None, 0, 18),
        ("system", "Method", None, 19, 25),
    ]
    # "speech" is annotated in 1 of 2 occurrences, "system" too; "speech recognition" in 1 of 1
    assert spans_of(dictionary, "speech for a speech recognition system", 0.6) == [
        ("speech recognition", "Task", None, 13, 31)
    ]
    assert spans_of(dictionary, "Speech or recognition") == []


def test_a_threshold_removes_entries_before_matching():
    units = [unit("a b", ("a b", "Long")), unit("a b"), unit("a b"), unit("a", ("a", "Short"))]
    dictionary = build_dictionary(units)  # "a b" 1 of 3, "a" 1 of 4
    assert spans_of(dictionary, "a b", 0.3) == [("a b", "Long", None, 0, 3)]
    assert spans_of(dictionary, "a b", 0.2) == [("a b", "Long", None, 0, 3)]
    assert spans_of(dictionary, "a b", 0.34) == []


def test_punctuation_is_apart_from_words():
    dictionary = build_dictionary([unit("a rash, again", ("rash", "Effect", "None"))])
    assert spans_of(dictionary, "(rash)") == [("rash", "Effect", "None", 1, 5)]
    assert spans_of(dictionary, "rashes") == []


def test_mentions_inside_words_are_left_out():
    assert build_dictionary([unit("rashes", ("rash", "Effect"))]).entries == {}


def test_offsets_are_those_of_the_document():
    document = Document("d", None, "a b . a c .", tuple("ab.ac."), ((0, 3), (3, 6)), (Span(1, "T", None, 0, 1),))
    first, second = document_units(document, "sentence")
    prediction = annotate(build_dictionary([first]), second, 0.0)
    assert [(span.start, span.end, span.item_class) for span in prediction.spans] == [(6, 7, "ok")]
    assert (prediction.prompt_id, prediction.answer_class, prediction.relations) == ("d#1", "ok", ())


def test_the_best_threshold_is_the_lowest_of_equal_ones():
    # "x" has share 1/2: it is predicted at thresholds up to 0.5
    dictionary = build_dictionary([unit("x", ("x", "T")), unit("x")])
    units = [unit("x")]
    assert best_threshold(dictionary, units, lambda predictions: len(predictions[0].spans)) == THRESHOLDS[0]
    assert best_threshold(dictionary, units, lambda predictions: -len(predictions[0].spans)) == 0.55


@pytest.mark.parametrize(
    ("dataset", "unit_kind", "metric", "entries", "threshold", "counts"),
    [
        (scierc, "sentence", "ner_strict", 4079, 0.15, (329, 1033, 1685)),  # F1 24.2
        (phee, "document", "triple", 7903, 0.35, (2294, 4356, 6566)),  # F1 42.0
    ],
)
def test_on_published_data(data_root, dataset, unit_kind, metric, entries, threshold, counts):
    name = dataset.__name__.rpartition(".")[2]
    folder = data_root / name
    ontology = read_ontology(Path(__file__).parents[2] / "config" / "ontologies" / f"{name}.yaml")
    documents = {split: dataset.read_documents(folder / f"{split}.json") for split in ("train", "dev", "test")}
    train, select, test = (
        [unit for document in part for unit in document_units(document, unit_kind)]
        for part in (documents["train"], halve_dev(documents["dev"])[1], documents["test"])
    )
    dictionary = build_dictionary(train)
    assert len(dictionary.entries) == entries
    assert best_threshold(dictionary, select, lambda spans: strict_f1(select, spans, ontology)) == threshold
    scores = all_scores(test, [annotate(dictionary, unit, threshold) for unit in test], {}, ontology)
    assert tuple(scores[metric]["set_directed"][count] for count in ("tp", "predicted", "gold")) == counts
