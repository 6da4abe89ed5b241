"""Answers to new texts, and the brat and Label Studio files that are written of them and read again."""

import json

import pytest

from tabpo.answers.ontology import Ontology
from tabpo.data.readers import brat, label_studio, new_texts
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.inference.answered import join_answers
from tabpo.inference.writers.brat import write_brat
from tabpo.inference.writers.label_studio import write_label_studio
from tabpo.records import Document, PredictedRelation, PredictedSpan, Prediction

TEXT = "\N{GRINNING FACE} Iron\nharms. No rash."


def span(number: int, label: str, words: str, item_class: str = "ok", start: int | None = None) -> PredictedSpan:
    start = TEXT.index(words) if start is None else start
    return PredictedSpan(number, label, None, words, start, start + len(words), item_class)


@pytest.fixture
def answered(tmp_path):
    """A text of two sentences; the second sentence's answer has a faulty span, and a third answer is unreadable."""
    (tmp_path / "texts/p1").mkdir(parents=True)
    (tmp_path / "texts/p1/n1.txt").write_text(TEXT)
    (tmp_path / "texts/n2.txt").write_text("Nothing.")
    documents = new_texts.read_documents(tmp_path / "texts")
    spans = (span(1, "Drug", "Iron\nharms"), span(2, "Symptom", "rash"), span(3, "X", "No", "unknown_label"))
    ends = ((1, 2, "CAUSES", "ok"), (1, 3, "CAUSES", "ok"), (2, 1, "Y", "unknown_label"))
    links = tuple(PredictedRelation(*item) for item in ends)
    predictions = [Prediction("n1", "ok", spans, links, ((1, 2), (1, 3))), Prediction("n2", "not_json", ())]
    return join_answers(documents, predictions, {"n1": ([0.5, 0.75, 0.1], [0.25, 0.2, 0.1])})


def test_faulty_items_and_what_refers_to_them_are_left_out(answered):
    first, second = answered
    spans = [(item.name, item.label, item.confidence) for item in first.spans]
    assert spans == [("T1", "Drug", 0.5), ("T2", "Symptom", 0.75)]
    assert [(item.head, item.tail, item.confidence) for item in first.relations] == [("T1", "T2", 0.25)]
    assert first.clusters == (("T1", "T2"),) and first.confidence == 0.625
    assert (second.spans, second.unreadable, second.confidence) == ((), 1, 0.0)


def test_brat_files_are_read_again_with_roles_and_pieces(answered, tmp_path):
    ontology = Ontology("entities", {}, {}, roles={"CAUSES": ("Agent", "Effect")})
    (tmp_path / "brat").mkdir()
    write_brat(tmp_path / "brat", answered, ontology)
    notes = (tmp_path / "brat/p1/n1.ann").read_text()
    assert "T1\tDrug 2 6;7 12\tIron harms\n" in notes and "R1\tCAUSES Agent:T1 Effect:T2\n" in notes
    assert (
        "#1\tAnnotatorNotes T1\tconfidence 0.5000\n" in notes and "#3\tAnnotatorNotes R1\tconfidence 0.2500\n" in notes
    )
    first, second = brat.read_documents(tmp_path / "brat", Reading(ontology))
    assert (first.text, first.group_id) == (TEXT, "p1") and first.clusters == ((1, 2),)
    assert [(item.label, item.start, item.end) for item in first.spans] == [("Drug", 2, 12), ("Symptom", 17, 21)]
    assert len(first.relations) == 1 and second.spans == ()


def test_what_an_attribute_gave_to_a_label_becomes_this_attribute_again(tmp_path):
    document = Document("n1", None, TEXT, tuple(TEXT.split()), ((0, 6),), ())
    labels = ("Drug", "Symptom/negated/past", "Lab/Value/past", "past")
    words = ("Iron", "harms.", "No", "rash.")
    spans = tuple(span(number, *item) for number, item in enumerate(zip(labels, words, strict=True), start=1))
    answered = join_answers([document], [Prediction("n1", "ok", spans)], {"n1": ([0.5] * len(spans), [])})
    ontology = Ontology("entities", {}, {}, attribute_labels={"Negation": "negated", "History": "past"})
    write_brat(tmp_path, answered, ontology)
    lines = (tmp_path / "n1.ann").read_text().splitlines()
    assert [line.split("\t")[1].split()[0] for line in lines if line[0] == "T"] == [
        "Drug",
        "Symptom",
        "Lab/Value",
        "past",
    ]
    assert [line for line in lines if line[0] == "A"] == ["A1\tNegation T2", "A2\tHistory T2", "A3\tHistory T3"]
    (read,) = brat.read_documents(tmp_path, Reading(ontology))
    assert tuple(item.label for item in read.spans) == labels


def test_label_studio_imports_predictions_at_the_browsers_offsets(answered, tmp_path):
    write_label_studio(tmp_path / "tasks.json", answered, "tiny tab_po")
    first, second = json.loads((tmp_path / "tasks.json").read_text())
    (prediction,) = first["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("tiny tab_po", 0.625)
    assert prediction["result"][1]["value"] == {"start": 18, "end": 22, "text": "rash", "labels": ["Symptom"]}
    assert [item.get("score") for item in prediction["result"]] == [0.5, 0.75, 0.25]
    assert (
        first["data"] == {"text": TEXT, "doc_id": "n1", "group_id": "p1"} and second["predictions"][0]["result"] == []
    )
    accepted = [{"id": 1, "data": {"text": TEXT}, "annotations": [{"result": prediction["result"]}]}]
    (tmp_path / "accepted.json").write_text(json.dumps(accepted))
    (document,) = label_studio.read_documents(tmp_path / "accepted.json")
    assert [(item.label, item.start, item.end) for item in document.spans] == [("Drug", 2, 12), ("Symptom", 17, 21)]


def test_new_texts_are_read_without_annotations(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "n1", "text": "Iron harms.", "group_id": "p"}\n')
    (document,) = new_texts.read_documents(tmp_path / "a.jsonl")
    assert (document.doc_id, document.group_id, document.spans) == ("n1", "p", ())
    (tmp_path / "b.jsonl").write_text('{"id": "n1", "text": "Iron harms.", "spans": []}\n')
    with pytest.raises(DataError, match="line 1, the line: has an unknown key in place 3; accepted: id, text"):
        new_texts.read_documents(tmp_path / "b.jsonl")
    with pytest.raises(DataError, match=r"holds no .txt file"):
        new_texts.read_documents(tmp_path)
    (tmp_path / "x").mkdir()
    for name in ("smith.txt", "x/smith.txt"):
        (tmp_path / name).write_text("Iron.")
    with pytest.raises(DataError, match=r".txt file 2 by name: has the name of another") as error:
        new_texts.read_documents(tmp_path)
    assert "smith" not in str(error.value)
