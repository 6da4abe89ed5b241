"""The program of the rule `annotate`: new texts become brat and Label Studio files with confidences."""

import json
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.readers import brat
from tabpo.data.reading import Reading
from tabpo.records import Relation
from tests.workflow_scripts.conftest import ONTOLOGY
from workflow_scripts import annotate, sft

TEXTS = {"p1/n1": "the parser is used for the corpus", "n2": "the model is used for the parser again\n"}
"""Two texts that the model has learnt by heart."""


@pytest.fixture(scope="module")
def annotated(study, tmp_path_factory) -> Path:
    """The folder that the program writes of `TEXTS`."""
    folder = tmp_path_factory.mktemp("annotate")
    sft.main(study.sft(folder, steps=200, learning_rate=1e-2, checkpoint_steps=200))
    for name, text in TEXTS.items():
        (folder / f"texts/{name}.txt").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"texts/{name}.txt").write_text(text)
    generation = {
        "numerics": {"precision": "fp32", "attention": "eager", "threads": 1},
        **{"constraint": "none", "batch_size": 2, "unit": "sentence"},
        "limits": {"max_prompt_tokens": 60, "max_completion_tokens": 120},
    }
    style = {"unit": "sentence", "prompt": "bare", "context": [], "demonstrations": 0}
    settings = {"generation": generation, "style": style, "private": True, "name": "tiny sft"}
    annotate.main(
        [
            *("--settings", json.dumps(settings), "--model", str(folder / "model")),
            *("--texts", str(folder / "texts"), "--train", study.path("documents.parquet")),
            *("--ontology", str(ONTOLOGY), "--output", str(folder / "march")),
        ]
    )
    return folder / "march"


def test_brat_files_have_the_texts_with_what_the_model_found(annotated):
    reading = Reading(read_ontology(ONTOLOGY))
    first, second = brat.read_documents(annotated / "brat", reading)
    assert (first.doc_id, first.group_id, first.text) == ("n1", "p1", TEXTS["p1/n1"])
    for document, (method, task) in ((first, ("parser", "corpus")), (second, ("model", "parser"))):
        labels = {document.text[span.start : span.end]: span.label for span in document.spans}
        assert labels == {method: "Method", task: "Task"}
        assert document.relations == (Relation(1, 2, "USED-FOR"),)
    assert reading.noticed == {"notes passed over": 6}
    notes = [line for line in (annotated / "brat/p1/n1.ann").read_text().splitlines() if line.startswith("#")]
    assert [line.split("\t")[1] for line in notes] == [f"AnnotatorNotes {name}" for name in ("T1", "T2", "R1")]
    assert all(0.5 < float(line.rpartition("confidence ")[2]) <= 1 for line in notes)


def test_label_studio_gets_the_same_spans_with_the_same_confidences(annotated):
    first, _ = json.loads((annotated / "label_studio.json").read_text())
    assert first["data"] == {"text": TEXTS["p1/n1"], "doc_id": "n1", "group_id": "p1"}
    (prediction,) = first["predictions"]
    assert prediction["model_version"] == "tiny sft"
    *regions, link = prediction["result"]
    assert [(item["value"]["text"], item["value"]["labels"]) for item in regions] == [
        ("parser", ["Method"]),
        ("corpus", ["Task"]),
    ]
    assert (link["from_id"], link["to_id"], link["labels"]) == ("T1", "T2", ["USED-FOR"])
    notes = (annotated / "brat/p1/n1.ann").read_text()
    for name, item in (("T1", regions[0]), ("T2", regions[1]), ("R1", link)):
        assert f"AnnotatorNotes {name}\tconfidence {item['score']:.4f}\n" in notes


def test_annotations_of_private_texts_are_marked(annotated):
    assert sorted(path.name for path in annotated.iterdir()) == ["INSIDE_ONLY.txt", "brat", "label_studio.json"]
