"""A private study from raw files to tables: nothing is sent, no page or log contains a text, and pages are marked."""

import importlib
import json
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.dry_run import jobs_in_order, outputs

ROOT = Path(__file__).parents[1]
LABELS = """
answer: entities
labels:
  Drug: {definition: A medicine.}
  Symptom: {definition: A complaint.}
  Place: {definition: Where somebody lives.}
relations:
  CAUSES: {definition: The head brings about the tail.}
"""
PATIENT = "smith"
"""The beginning of every document's name."""

SIZES = {"train": 24, "dev": 16, "test": 8}
INSIDE = re.compile(
    r"[.]parquet$|[.]ids[.]txt$|/(base|model|checkpoints)/|/scores/[^/]*json$|/(watch|selection)[.]json$"
)
"""Files that hold texts or answers, or weights of models trained on them."""


def word(generator: random.Random) -> str:
    return "".join(generator.choice("bdfgklmnprstvz") + generator.choice("aeiou") for _ in range(4))


def document(number: int, generator: random.Random, rare: bool) -> dict:
    """A sentence of made-up words with a drug, a symptom and, if `rare`, a place."""
    parts = [("Drug", word(generator)), (None, "caused"), ("Symptom", word(generator)), (None, "in")]
    parts += [("Place" if rare else None, word(generator))]
    text, spans = "", []
    for label, part in parts:
        start = len(text)
        text += part + " "
        if label:
            span = {"id": f"T{len(spans)}", "start": start, "end": len(text) - 1, "label": label, "text": part}
            spans.append(span)
    relations = [{"head": "T0", "label": "CAUSES", "tail": "T1"}] if number % 5 == 0 else []
    return {"id": f"{PATIENT}{number}", "text": text.strip(), "spans": spans, "relations": relations}


def write_data(folder: Path) -> set[str]:
    """Write the splits, and second annotations in which some drugs are symptoms; return all made-up words."""
    generator, number, words = random.Random(1), 0, set()
    (folder / "own").mkdir()
    (folder / "own/labels.yaml").write_text(LABELS)
    for split, size in SIZES.items():
        rows = [document(number + place, generator, rare=place < 3) for place in range(size)]
        number += size
        second = json.loads(json.dumps(rows[1:]))
        for row in second[::3]:
            row["spans"][0]["label"] = "Symptom"
        for name, content in ((split, rows), (f"second_{split}", second)):
            (folder / f"own/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
        words |= {part for row in rows for part in row["text"].split()} - {"caused", "in"}
    return words


def study() -> dict:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config["results"] = "results/notes"
    config["datasets"] = {
        "notes": {
            **{"source": "custom", "folder": "own", "unit": "document", "prompt": "bare"},
            **{"ontology": "own/labels.yaml", "max_prompt_tokens": 64, "max_completion_tokens": 150},
            "second_annotator": {"dev": "own/second_dev.jsonl", "test": "own/second_test.jsonl"},
        }
    }
    config["models"]["tiny"]["scratch"] |= {"hidden_size": 16, "layers": 2, "intermediate_size": 16, "vocab_size": 400}
    config["models"]["tiny"]["scratch"]["copy_circuit"] = False
    for stage, steps in (("sft", 2), ("preference", 1)):
        config["training"][stage] |= {"steps": steps, "batch_size": 8, "micro_batch_size": 8, "warmup_steps": 0}
    config["training"]["preference"] |= {"watch_prompts": 2}
    recipe = {"negatives": 1, "edits": 1, "smoothing": 1.0}
    config["pairings"] = {
        "plain": {"confusions": "uniform", "heldout": "dev_confusion"} | recipe,
        "people": {"confusions": "disagreement"} | recipe,
    }
    config["methods"] = {"dpo": {"pairing": "plain"}, "tab_po": {"pairing": "people"}}
    config["tables"] = {"notes": {"caption": "Notes.", "datasets": ["notes"], "metrics": ["ner_strict", "rel"]}}
    return config


def planned(folder: Path) -> list[tuple[str, list[str]]]:
    """Program and arguments of every job of the study, in an order in which the jobs can run."""
    (folder / "study.yaml").write_text(yaml.safe_dump(study()))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    dry_run = subprocess.run(
        [*command, "--dry-run", "--printshellcmds", "--cores", "1"], cwd=folder, capture_output=True, text=True
    )
    assert dry_run.returncode == 0, dry_run.stdout + dry_run.stderr
    return jobs_in_order(dry_run.stdout + dry_run.stderr)


def test_nothing_is_sent_and_no_page_or_log_has_a_text(tmp_path, no_network, caplog, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    words, programs = write_data(tmp_path), set()
    for program, arguments in planned(tmp_path):
        for path in outputs(arguments):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        importlib.import_module(f"workflow_scripts.{program}").main(arguments)
        programs.add(program)
    wanted = {"documents", "sft", "score", "disagreement", "human", "audit", "train", "tables", "report", "export"}
    assert wanted <= programs

    written = [path for path in tmp_path.glob("results/**/*") if path.is_file()]
    reports = {str(path.relative_to(tmp_path)): path for path in written if not INSIDE.search(str(path))}
    contents = {name: path.read_text() for name, path in reports.items()} | {
        "logs": "".join([*capfd.readouterr(), caplog.text])
    }
    pages = {"notes/card.md", "tables/notes.md", "report.html"}
    assert len(words) > 100 and {f"results/notes/{page}" for page in pages} <= set(contents)
    for name, text in contents.items():
        assert not [secret for secret in (*words, PATIENT) if secret in text.lower()], name
    assert not re.search(r"% valid|\d of \d+ answers", contents["logs"])
    exported = {name: contents.pop(name) for name in list(contents) if name.startswith("results/notes/export/")}
    for name, text in contents.items():
        if name.endswith((".md", ".tex")):
            assert text.removeprefix("% ").startswith("INSIDE ONLY: "), name
        if name.endswith(".svg"):
            assert "<!-- INSIDE ONLY: notes" in text, name
    page = contents["results/notes/notes/tiny/pairs/people/seed1.md"]
    assert "Examples" not in page and "| disagreement" in page
    card = json.loads(contents["results/notes/notes/card.json"])["splits"]["train"]
    assert card["labels"] == {"Drug": 24, "Symptom": 24, "Place": 3}
    table = contents["results/notes/tables/notes.md"]
    shown = contents["results/notes/report.html"]
    assert "Examples" not in shown and "<td>Symptom</td>" in shown.replace(' style="text-align:left"', "")
    assert "INSIDE ONLY" in shown.split("<h1>")[0]
    assert "| human" in table and "– private" not in table

    tables = {f"tables/{name}" for name in ("notes", "per_metric/ner_strict", "per_metric/rel")}
    files = {f"{name}.{ending}" for name in (*tables, "labels") for ending in ("csv", "md", "tex")}
    files |= {"macros.tex", "tables/notes.tests.csv"}
    assert files <= {name.removeprefix("results/notes/export/") for name in exported}
    assert not [name for name, text in exported.items() if "INSIDE ONLY" in text]
    labels = exported["results/notes/export/labels.csv"]
    assert ",Symptom," in labels and ",rare labels," in labels
    assert "Place" not in labels and "Drug" not in labels  # three of eight texts have a place: drugs join them
    cells = exported["results/notes/export/tables/notes.csv"].splitlines()
    assert {line for line in cells if ",rel," in line} == {line for line in cells if line.endswith(",rel,,,")}


def test_the_guard_stops_what_connects(no_network):
    with pytest.raises(AssertionError, match="a connection to"):
        socket.socket(socket.AF_INET).connect(("192.0.2.1", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.org was looked up"):
        socket.create_connection(("example.org", 80))
