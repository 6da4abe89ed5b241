"""Two annotators of one set of texts, from raw files to the confusion table, the edits and the row `human`."""

import json
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.download import fetch
from tabpo.data.readers import phee
from tabpo.data.second_annotator import read_second, second_card, second_reading
from tabpo.errors import DataError
from tabpo.pairs.proposals import Proposals
from tabpo.records import Confusion, Document, Prediction, Prompt, read_metadata, read_records
from workflow_scripts import disagreement, documents, human, prompts

LABELS = """
answer: entities
labels: {Drug: {definition: A medicine.}, Symptom: {definition: A complaint.}}
relations: {CAUSES: {definition: The head brings about the tail.}}
variants: {labels: {Medication: Drug}}
"""
ONTOLOGY = Path(__file__).parents[2] / "config/ontologies/phee.yaml"
SPLITS = ("train", "dev", "test")
CUSTOM = {"source": "custom", "private": True, "all_splits": False}


def row(number: int, labels=("Drug", "Symptom"), end=20, related=True) -> dict:
    """`Drug3 caused nausea3 at night.`"""
    text = f"Drug{number} caused nausea{number} at night."
    places = ((0, 5, labels[0]), (13, end, labels[1]))
    spans = [
        {"id": f"T{position}", "start": start, "end": stop, "label": label, "text": text[start:stop]}
        for position, (start, stop, label) in enumerate(places)
        if label
    ]
    links = [{"head": "T0", "label": "CAUSES", "tail": "T1"}] if related and all(labels) else []
    return {"id": f"n{number}", "text": text, "spans": spans, "relations": links}


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in rows))
    return path


@pytest.fixture
def study(tmp_path):
    """Three documents per split; the second annotator leaves out some of them, and annotates others differently."""
    (tmp_path / "labels.yaml").write_text(LABELS)
    first = {split: [row(3 * place + number) for number in range(3)] for place, split in enumerate(SPLITS)}
    second = {
        "train": [row(1, ("Medication", "Drug")), row(0, related=False)],  # a variant; another label; no relation
        "dev": [row(3, end=26), row(4, ("Drug", "")), row(5, end=26)],  # two longer spans; a span missed
        "test": [row(8, ("Symptom", "Symptom")), row(7)],
    }
    for split in SPLITS:
        write(tmp_path / f"{split}.jsonl", first[split])
        write(tmp_path / f"second_{split}.jsonl", second[split])
    settings = {"source": "custom", "generate": None, "private": True, "dev_share": None}
    files = [part for split in SPLITS for part in (f"--output-{split}", str(tmp_path / f"{split}.parquet"))]
    documents.main(
        [
            *("--settings", json.dumps(settings), "--sources", *(str(tmp_path / f"{split}.jsonl") for split in SPLITS)),
            *("--ontology", str(tmp_path / "labels.yaml"), *files),
            *("--output-card", str(tmp_path / "card.json"), "--output-page", str(tmp_path / "card.md")),
        ]
    )
    parts = ("train", "dev-confusion", "dev-select", "test")
    asked = {"unit": "document", "prompt": "bare", "context": []}
    given = [part for split in SPLITS for part in (f"--{split}", str(tmp_path / f"{split}.parquet"))]
    made = [part for name in parts for part in (f"--output-{name}", str(tmp_path / f"asked_{name}.parquet"))]
    prompts.main(["--settings", json.dumps(asked), *given, "--ontology", str(tmp_path / "labels.yaml"), *made])
    return tmp_path


def gold(study: Path, split: str) -> list[Document]:
    return read_records(study / f"{split}.parquet", Document)


def read(study: Path, split: str, rows: list[dict] | None = None) -> list[Document]:
    path = study / f"second_{split}.jsonl"
    if rows is not None:
        write(path, rows)
    return read_second([path], gold(study, split), read_ontology(study / "labels.yaml"), CUSTOM)


def test_what_both_have_annotated_becomes_units_and_predictions(study):
    units, second = second_reading(["n0", "n1", "n2"], gold(study, "train"), read(study, "train"))
    assert [unit.prompt_id for unit in units] == [prediction.prompt_id for prediction in second] == ["n0", "n1"]
    assert [(span.label, span.text) for span in second[1].spans] == [("Drug", "Drug1"), ("Drug", "nausea1")]
    assert (len(second[0].relations), len(second[1].relations), len(units[0].relations)) == (0, 1, 1)
    with pytest.raises(DataError, match="none of the 1 prompts is of one of the 2 documents with a second annotation"):
        second_reading(["n2"], gold(study, "train"), read(study, "train"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(9)], "document 1: the first annotator has no document of that id; accepted: ids of this split"),
        (
            [row(0) | {"text": "Drug0 caused nausea0 at noon."}],
            "document 1: has another text than the first",
        ),
        ([row(0, ("Drug", "Secret"))], "line 1, span 2: label is unknown; accepted: Drug, Symptom"),
        ([row(0), row(0)], "is already that of line 1"),
    ],
)
def test_faults_of_a_second_annotation_are_named_without_text(study, rows, message):
    with pytest.raises(DataError, match=message) as error:
        read(study, "train", rows)
    assert "nausea" not in str(error.value) and "Secret" not in str(error.value)


@pytest.mark.parametrize(("split", "documents"), [("train", 575), ("dev", 189), ("test", 197)])
def test_the_published_second_annotation_of_phee(data_root, tmp_path, split, documents):
    # 961 sentences were annotated twice, in all splits; the numbers are those of the published ids
    fetch("phee", {split: tmp_path / f"{split}.json", "second": tmp_path / "second.json"}, local=str(data_root))
    first, ontology = phee.read_documents(tmp_path / f"{split}.json"), read_ontology(ONTOLOGY)
    settings = {"source": "phee", "private": False, "all_splits": True}
    second = read_second([tmp_path / "second.json"], first, ontology, settings)
    units, answers = second_reading([document.doc_id for document in first], first, second)
    assert len(units) == len(second) == documents
    gold, said = (sum(len(item.spans) for item in items) for items in (units, answers))
    assert 0.9 < said / gold < 1
    with pytest.raises(DataError, match="the first annotator has no document of that id"):
        read_second([tmp_path / "second.json"], first, ontology, settings | {"all_splits": False})


def run_disagreement(study: Path) -> list[Confusion]:
    disagreement.main(
        [
            *("--settings", json.dumps(CUSTOM | {"private": False}), "--title", "two annotators"),
            *("--second", str(study / "second_train.jsonl"), str(study / "second_dev.jsonl")),
            *("--prompts", str(study / "asked_train.parquet"), str(study / "asked_dev-confusion.parquet")),
            *("--documents", str(study / "train.parquet"), str(study / "dev.parquet")),
            *("--ontology", str(study / "labels.yaml"), "--output", str(study / "confusions.parquet")),
            *("--output-ids", str(study / "ids.txt"), "--output-figure", str(study / "map.svg")),
        ]
    )
    return read_records(study / "confusions.parquet", Confusion)


def test_disagreement_is_counted_on_train_and_the_half_of_dev_for_confusions_alone(study):
    rows = {(item.kind, item.gold, item.predicted): item.count for item in run_disagreement(study)}
    half = [prompt.prompt_id for prompt in read_records(study / "asked_dev-confusion.parquet", Prompt)]
    assert (study / "ids.txt").read_text().split() == sorted(["n0", "n1", *half])
    metadata = read_metadata(study / "confusions.parquet")
    assert (metadata["split"], metadata["n"]) == ("disagreement", str(2 + len(half)))
    # train: n1's Symptom is a Drug to the second; n0's relation is missed, n1's is found
    assert rows["label", "Symptom", "Drug"] == 1
    assert rows["relation_missed", "CAUSES", "NONE"] == 1
    longer, missed = len({"n3", "n5"} & set(half)), int("n4" in half)
    assert rows.get(("boundary", "Symptom", "extended"), 0) == longer
    assert rows.get(("missed", "Symptom", "NONE"), 0) == missed
    assert "two annotators" in (study / "map.svg").read_text()


def test_edits_from_disagreement_name_it_as_their_source(study):
    ontology = read_ontology(study / "labels.yaml")
    proposals = Proposals("disagreement", 0.0, run_disagreement(study), (), ontology)
    assert [(target.wrong, target.source) for target in proposals.targets("label", "Symptom", ("Drug",))] == [
        ("Drug", "disagreement")
    ]


def test_the_row_human_scores_the_second_annotation_of_test(study):
    human.main(
        [
            *("--settings", json.dumps(CUSTOM), "--second", str(study / "second_test.jsonl")),
            *("--prompts", str(study / "asked_test.parquet"), "--documents", str(study / "test.parquet")),
            *("--ontology", str(study / "labels.yaml")),
            *("--output-predictions", str(study / "second.parquet"), "--output-scores", str(study / "scores.json")),
            *("--output-counts", str(study / "counts.parquet")),
        ]
    )
    scores = json.loads((study / "scores.json").read_text())
    # two documents of two spans and a relation; in n8 the Drug is a Symptom to the second
    assert scores["prompts"] == 2 and len(read_records(study / "second.parquet", Prediction)) == 2
    f1 = {name: scores["metrics"][name]["set_directed"]["f1"] for name in ("ner_strict", "ner_boundary", "rel")}
    assert f1 == {"ner_strict": 0.75, "ner_boundary": 1.0, "rel": 1.0}
    assert scores["metrics"]["rel_plus"]["set_directed"]["f1"] == 0.5


def test_the_card_counts_what_the_second_annotator_left_out_and_what_was_corrected(study):
    documents = {split: gold(study, split) for split in SPLITS}
    second = {split: study / f"second_{split}.jsonl" for split in ("train", "test")}
    card = second_card(second, documents, read_ontology(study / "labels.yaml"), CUSTOM)
    assert card["train"] == {
        "documents": 3,
        "documents_without_second_annotation": 1,
        "of_documents_annotated_twice": {
            "spans": {"first": 4, "second": 4},
            "relations": {"first": 2, "second": 1},
            "clusters": {"first": 0, "second": 0},
        },
        "noticed": {"labels: Medication -> Drug": 1},
    }
    assert card["test"]["noticed"] == {} and "dev" not in card
