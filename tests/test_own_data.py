"""A user's data in the graph: the example of docs/own_data.md, and a folder in PV-Miner's format."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Dataset

from tabpo.answers.grounding import read_completions
from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.data.generated.demo_messages import generate
from tabpo.metrics.names import HEADLINE
from tabpo.metrics.scores import score
from tabpo.records import PROMPT_SPLITS, SPLITS, Completion, Document, Prompt, read_records
from workflow_scripts import check_data, documents, prompts

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs/own_data.md").read_text()


def example(folder: Path) -> dict:
    """Write the files of the page's example; return the demo's study with the example's datasets and tables."""
    for name, content in re.findall(r"^`(own/\S+)`:\n\n```\w+\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    return study | {"results": "results/notes"} | yaml.safe_load((folder / "own/study.yaml").read_text())


def messages(folder: Path, row) -> dict:
    """Write a folder in the published format, without dev; return the entry that the page shows for it."""
    tables = [pa.Table.from_pylist([row(message) for message in generate(split, 30, 1)]) for split in ("train", "test")]
    Dataset(tables[0]).save_to_disk(folder / "messages/train")
    pq.write_table(tables[1], folder / "messages/test.parquet")
    entry = yaml.safe_load(re.search(r"^    pvminer:\n(?:      .*\n)+", DOC, re.MULTILINE)[0])["pvminer"]
    return entry | {"folder": "messages", "max_prompt_tokens": 200, "max_completion_tokens": 200}


def snakemake(folder: Path, study: dict, *arguments: str) -> subprocess.CompletedProcess:
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += [*arguments, "--cores", "2", "--configfile", "study.yaml"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_pages_example_becomes_prompts_and_its_gold_scores_100(tmp_path):
    study = example(tmp_path)
    made = snakemake(tmp_path, study, "results/notes/notes/prompts/test.parquet")
    assert made.returncode == 0, made.stdout + made.stderr
    results = tmp_path / "results/notes/notes"
    card = json.loads((results / "card.json").read_text())
    assert card["private"] and card["group_id"] == "all documents have one"
    assert card["splits"]["train"]["labels"] == {"Drug": 3, "Symptom": 4}
    assert card["variants"]["train"] == {"labels: Medication -> Drug": 1}
    ontology = read_ontology(tmp_path / "own/labels.yaml")
    for split in PROMPT_SPLITS:
        asked = read_records(results / f"prompts/{split}.parquet", Prompt)
        gold = read_records(results / f"documents/{split.split('_')[0]}.parquet", Document)
        units = units_of_prompts(gold, [prompt.prompt_id for prompt in asked])
        completions = [Completion(prompt.prompt_id, prompt.answer, 1, True) for prompt in asked]
        predictions = read_completions(completions, units, ontology, split)
        scores, _ = score(split, units, predictions, [prompt.answer for prompt in asked], ontology, None)
        assert scores["valid"] == 1.0
        for metric in ("ner_strict", "rel", "rel_plus"):
            assert scores["metrics"][metric][HEADLINE]["f1"] == 1.0, (split, metric)


def test_the_pages_second_annotator_agrees_as_far_as_the_page_says(tmp_path):
    study = example(tmp_path)
    study["datasets"]["notes"]["second_annotator"] = {"test": "own/second/test.jsonl"}
    made = snakemake(tmp_path, study, "results/notes/notes/human/scores/test.json")
    assert made.returncode == 0, made.stdout + made.stderr
    scores = json.loads((tmp_path / "results/notes/notes/human/scores/test.json").read_text())["metrics"]
    f1 = [round(100 * scores[metric][HEADLINE]["f1"], 1) for metric in ("ner_strict", "rel")]
    assert f1 == [85.7, 66.7] and "85.7 NER, 66.7 Rel" in DOC


def test_the_whole_graph_is_planned_for_both(tmp_path, pvminer_row):
    study = example(tmp_path)
    study["datasets"]["pvminer"] = messages(tmp_path, pvminer_row)
    study["datasets"]["absent"] = study["datasets"]["pvminer"] | {"folder": None}
    study["tables"]["messages"] = {"caption": "Messages.", "datasets": ["pvminer"], "metrics": ["code", "triple"]}
    planned = snakemake(tmp_path, study, "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "datasets.absent.folder is null: the data set is left out, in tables too." in planned.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ontology": "own/label.yaml"}, "ConfigError: own/label.yaml: no such ontology (No such file or directory)"),
        (
            {"folder": "owns"},
            "ConfigError: datasets.notes.folder: owns has no train; accepted: train as .jsonl, a fold",
        ),
    ],
)
def test_a_mistake_ends_a_dry_run_with_one_message(tmp_path, change, message):
    study = example(tmp_path)
    study["datasets"]["notes"] |= change
    refused = snakemake(tmp_path, study, "--dry-run", "--quiet", "all")
    assert refused.returncode != 0
    assert (refused.stdout + refused.stderr).strip().split("\n")[-1].startswith(message)
    assert "Traceback" not in refused.stdout + refused.stderr


def test_a_changed_file_of_a_folder_is_seen_and_no_log_has_its_name(tmp_path):
    study = example(tmp_path)
    for split in SPLITS:
        (tmp_path / f"own/{split}.jsonl").unlink(missing_ok=True)
        shutil.rmtree(tmp_path / f"own/{split}", ignore_errors=True)
        (tmp_path / f"own/{split}").mkdir()
        (tmp_path / f"own/{split}/smith_{split}.txt").write_text(f"Aspirin in {split}.")
        (tmp_path / f"own/{split}/smith_{split}.ann").write_text("T1\tDrug 0 7\tAspirin\n")
    page = "results/notes/notes/card.md"
    made = snakemake(tmp_path, study, page)
    assert made.returncode == 0 and "INSIDE ONLY" in (tmp_path / page).read_text()
    logs = [path.read_text() for folder in ("results", ".snakemake/log") for path in (tmp_path / folder).rglob("*.log")]
    assert logs and "smith" not in "".join([made.stdout, made.stderr, *logs])
    (tmp_path / "own/dev/smith_dev.txt").write_text("Aspirin on dev.")
    again = snakemake(tmp_path, study, page, "--dry-run")
    assert "documents" in again.stdout + again.stderr and "smith" not in again.stdout + again.stderr


def test_private_text_is_in_the_artefacts_alone_and_nothing_is_sent(
    tmp_path, pvminer_row, no_network, caplog, capfd, monkeypatch
):
    entry = messages(tmp_path, pvminer_row)
    monkeypatch.chdir(tmp_path)
    caplog.set_level("DEBUG")
    flags = [(f"--output-{split.replace('_', '-')}", f"documents/{split}.parquet") for split in SPLITS]
    settings = {"source": "pvminer", "generate": None, "private": True, "dev_share": 0.5}
    ontology = str(ROOT / "config/ontologies/pvminer.yaml")
    documents.main(
        [
            *("--settings", json.dumps(settings), "--sources", "messages/train", "messages/test.parquet"),
            *("--ontology", ontology, "--output-card", "card.json", "--output-page", "card.md"),
            *(part for flag in flags for part in flag),
        ]
    )
    asked = {"unit": entry["unit"], "prompt": entry["prompt"], "context": ["TO_PAT_YN"]}
    given = [part for split in SPLITS for part in (f"--{split}", f"documents/{split}.parquet")]
    written = [
        part for split in PROMPT_SPLITS for part in (f"--output-{split.replace('_', '-')}", f"prompts/{split}.parquet")
    ]
    prompts.main(["--settings", json.dumps(asked), *given, "--ontology", ontology, *written])
    texts = {
        document.text for split in SPLITS for document in read_records(Path(f"documents/{split}.parquet"), Document)
    }
    words = {word for text in texts for word in re.findall(r"\w{7,}", text)} - {"provider", "patient"}
    shown = "".join([*capfd.readouterr(), caplog.text, *(Path(name).read_text() for name in ("card.json", "card.md"))])
    assert len(words) >= 40 and not {word for word in words if re.search(rf"\b{word}\b", shown)}
    assert {path.name for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "train"} == {
        *("card.json", "card.md", *(f"{split}.parquet" for split in (*SPLITS, *PROMPT_SPLITS))),
    }


def test_the_head_of_own_small_has_the_labels_of_its_notes(tmp_path, monkeypatch, capsys):
    content = (ROOT / "config/own_small.yaml").read_text()
    labels = "".join(f"{line}\n" for line in re.findall(r"^# {10}(.*)$", content, re.MULTILINE))
    for number, split in enumerate(SPLITS):
        for patient in range(2 * number, 2 * number + 2):
            note = tmp_path / f"own/{split}/p{patient}/note{patient}"
            note.parent.mkdir(parents=True)
            note.with_suffix(".txt").write_text(f"No rash on iron {patient}.\n")
            note.with_suffix(".ann").write_text("T1\tSymptom 3 7\trash\nT2\tDrug 11 15\tiron\nA1\tNegation T1\n")
    (tmp_path / "own/labels.yaml").write_text(labels)
    monkeypatch.chdir(tmp_path)
    check_data.main(["--config", str(ROOT / "config/own_small.yaml")])
    printed = capsys.readouterr().out
    assert "| Symptom/negated | 2 | 2 | 2 |" in printed and "| Symptom | 0 | 0 | 0 |" in printed
    assert "Groups (`group_id`): all documents have one." in printed and "## notes: 0 faults" in printed
