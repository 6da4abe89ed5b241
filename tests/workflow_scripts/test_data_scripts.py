"""The programs from published files to prompts, called like the rules call them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.data.readers.brat import UNREAD
from tabpo.errors import ConfigError, DataError
from tabpo.records import PROMPT_SPLITS, SPLITS, Document, Prompt, Relation, read_records
from workflow_scripts import documents, fetch, other_test, prompts

ROOT = Path(__file__).parents[2]
ONTOLOGIES = ROOT / "config/ontologies"


def flags(folder: Path, names: tuple[str, ...], ending: str) -> list[str]:
    return [text for name in names for text in (f"--output-{name.replace('_', '-')}", str(folder / f"{name}.{ending}"))]


def documents_call(folder: Path, sources: list[Path], ontology: str, **settings) -> list[str]:
    return [
        *("--settings", json.dumps({"generate": None, "private": False, "dev_share": None, **settings})),
        *("--sources", *map(str, sources)),
        *("--ontology", str(ONTOLOGIES / f"{ontology}.yaml")),
        *flags(folder / "documents", SPLITS, "parquet"),
        *("--output-card", str(folder / "card.json"), "--output-page", str(folder / "card.md")),
    ]


def prompts_call(folder: Path, ontology: str, **settings) -> list[str]:
    given = [text for split in SPLITS for text in (f"--{split}", str(folder / "documents" / f"{split}.parquet"))]
    return [
        *("--settings", json.dumps({"context": [], **settings})),
        *given,
        *("--ontology", str(ONTOLOGIES / f"{ontology}.yaml")),
        *flags(folder / "prompts", PROMPT_SPLITS, "parquet"),
    ]


def row(doc_id: str) -> str:
    mention = [[[1, 1, "Method"]]]
    fields = {"doc_key": doc_id, "sentences": [["A", "parser"]], "ner": mention, "relations": [[]], "clusters": []}
    return json.dumps(fields) + "\n"


def sources(folder: Path, **lines: str) -> list[Path]:
    paths = [folder / f"{split}.json" for split in SPLITS]
    for path in paths:
        path.write_text(lines[path.stem])
    return paths


def test_small_files_become_documents_card_and_prompts(tmp_path):
    given = sources(tmp_path, train=row("a"), dev=row("b") + row("c"), test=row("d"))
    documents.main(documents_call(tmp_path, given, "scierc", source="scierc"))
    prompts.main(prompts_call(tmp_path, "scierc", unit="sentence", prompt="bare"))
    by_split = {split: read_records(tmp_path / "prompts" / f"{split}.parquet", Prompt) for split in PROMPT_SPLITS}
    assert [prompt.prompt_id for prompt in by_split["train"] + by_split["test"]] == ["a#0", "d#0"]
    assert {prompt.prompt_id for prompt in by_split["dev_confusion"] + by_split["dev_select"]} == {"b#0", "c#0"}
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["source"], card["splits"]["dev"]["spans"]) == ("scierc", 2)


OWN = """
answer: entities
labels: {Drug: {definition: A drug.}, Symptom: {definition: A symptom.}}
relations: {HARMS: {definition: The head harms the tail.}}
roles: {HARMS: [Agent, Victim]}
"""


def brat(folder: Path, arguments: str) -> list[Path]:
    """Folders of four documents, dev with two, and the file own.yaml beside them."""
    (folder / "own.yaml").write_text(OWN)
    for split, name in (("train", "a"), ("dev", "b"), ("dev", "c"), ("test", "d")):
        (folder / split).mkdir(exist_ok=True)
        (folder / split / f"{name}.txt").write_text("Iron harms.\nNo rash\n")
        notes = "T1\tDrug 0 4\tIron\nT2\tSymptom 15 19\trash\n"
        (folder / split / f"{name}.ann").write_text(f"{notes}R1\tHARMS {arguments}\n")
    return [folder / split for split in SPLITS]


def test_the_ontology_says_which_role_is_the_head(tmp_path):
    given = brat(tmp_path, "Victim:T2 Agent:T1")
    documents.main(documents_call(tmp_path, given, str(tmp_path / "own"), source="custom"))
    (document,) = read_records(tmp_path / "documents/train.parquet", Document)
    assert document.relations == (Relation(1, 2, "HARMS"),)


def test_what_is_not_asked_or_not_read_is_on_the_card_and_a_set_that_loses_all_is_refused(tmp_path):
    given = brat(tmp_path, "Agent:T1 Victim:T2")
    (tmp_path / "train/annotation.conf").write_text("")
    documents.main(documents_call(tmp_path, given, str(tmp_path / "own"), source="custom"))
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["noticed"] == {"train": {UNREAD: 1}}
    assert [card["splits"][split]["relations_not_asked_by_sentence"] for split in SPLITS] == [1, 2, 1]
    with pytest.raises(DataError, match="asks about none of the dataset's 4 relations"):
        prompts.main(prompts_call(tmp_path, str(tmp_path / "own"), unit="sentence", prompt="bare"))


def test_a_label_outside_the_ontology_stops_documents(tmp_path):
    given = sources(tmp_path, train=row("a"), dev=row("b") + row("c").replace("Method", "Metod"), test=row("d"))
    message = f"^{given[1]}, line 2, span 1: label 'Metod' is unknown; accepted: Task, Method"
    with pytest.raises(DataError, match=message):
        documents.main(documents_call(tmp_path, given, "scierc", source="scierc"))
    assert not (tmp_path / "card.json").exists()


def test_a_document_in_two_splits_stops_prompts(tmp_path):
    given = sources(tmp_path, train=row("a"), dev=row("b") + row("c"), test=row("a"))
    documents.main(documents_call(tmp_path, given, "scierc", source="scierc"))
    with pytest.raises(DataError, match=r"^document 1 of train and document 1 of test have the same document"):
        prompts.main(prompts_call(tmp_path, "scierc", unit="sentence", prompt="bare"))
    assert not (tmp_path / "prompts").exists()


def test_another_test_split_becomes_documents_prompts_and_a_card_or_is_refused(tmp_path):
    given = sources(tmp_path, train=row("a"), dev=row("b") + row("c"), test=row("d"))
    documents.main(documents_call(tmp_path, given, "scierc", source="scierc"))
    style = {"unit": "sentence", "prompt": "bare", "context": [], "demonstrations": 0}
    settings = {"source": "scierc", "generate": None, "private": False, "dev_share": None, "style": style}

    def call(*rows: str) -> None:
        (tmp_path / "far.json").write_text("".join(rows))
        other_test.main(
            [
                *("--settings", json.dumps(settings), "--source", str(tmp_path / "far.json")),
                *("--documents", *(str(tmp_path / f"documents/{split}.parquet") for split in SPLITS)),
                *("--ontology", str(ONTOLOGIES / "scierc.yaml"), "--output-card", str(tmp_path / "far.card.json")),
                *("--output-documents", str(tmp_path / "documents/far.parquet")),
                *("--output-prompts", str(tmp_path / "prompts/far.parquet")),
            ]
        )

    with pytest.raises(DataError, match=r"^document 1 of test and document 2 of far have the same document"):
        call(row("e"), row("d"))
    assert not (tmp_path / "prompts").exists()
    call(row("e"), row("f"))
    assert [prompt.prompt_id for prompt in read_records(tmp_path / "prompts/far.parquet", Prompt)] == ["e#0", "f#0"]
    card = json.loads((tmp_path / "far.card.json").read_text())
    assert card["splits"].keys() == {"far"} and card["splits"]["far"]["spans"] == 2
    assert card["leaks"].keys() == {"train-far", "dev-far", "test-far"}


def test_fetch_reads_where_the_data_are_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TABPO_DATA", "somewhere")
    with pytest.raises(ConfigError, match="TABPO_DATA is somewhere; accepted: an absolute path"):
        fetch.main(["--source", "scierc", "--outputs", str(tmp_path / "train.json")])


def test_an_error_is_one_line_of_a_program(tmp_path):
    environment = {**os.environ, "TABPO_DATA": str(tmp_path)}
    command = [sys.executable, "-m", "workflow_scripts.fetch", "--source", "phee"]
    command += ["--outputs", *(str(tmp_path / f"{split}.json") for split in SPLITS)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("DataError: ") and done.stderr.count("\n") == 1


PROMPTS = {  # prompts of each split and unit
    ("scierc", "document"): {"train": 350, "dev": 50, "test": 100},
    ("phee", "sentence"): {"train": 2898, "dev": 961, "test": 968},
}


@pytest.mark.parametrize(("source", "unit"), PROMPTS)
def test_real_data_become_prompts_and_the_same_bytes_again(data_root, tmp_path, source, unit):
    given = [data_root / source / f"{split}.json" for split in SPLITS]
    settings = {"unit": unit, "prompt": "instruct", "demonstrations": 2}
    digests = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        for program, arguments in (
            ("documents", documents_call(folder, given, source, source=source)),
            ("prompts", prompts_call(folder, source, **settings)),
        ):
            command = [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]
            subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True)
        files = sorted(path for path in folder.rglob("*.*") if path.is_file())
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1] and len(digests[0]) == 9

    by_split = {split: read_records(folder / "prompts" / f"{split}.parquet", Prompt) for split in PROMPT_SPLITS}
    counts = {split: len(by_split[split]) for split in ("train", "test")}
    assert {**counts, "dev": len(by_split["dev_confusion"] + by_split["dev_select"])} == PROMPTS[source, unit]
    groups = {
        document.doc_id: document.group_id or document.doc_id
        for document in read_records(folder / "documents" / "dev.parquet", Document)
    }
    halves = [{groups[prompt.doc_id] for prompt in by_split[half]} for half in ("dev_confusion", "dev_select")]
    assert not halves[0] & halves[1]
