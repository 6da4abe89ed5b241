"""A user's data from raw files to tables: documents with the user's labels, and messages in PV-Miner's format."""

import contextlib
import importlib
import json
import logging
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from datasets import Dataset

from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.records import SPLITS, Document, Pair, Prompt, read_records
from tests.dry_run import jobs_in_order, outputs
from tests.test_study import ROOT, run

pytestmark = pytest.mark.slow

SIZES = {"train": 120, "dev": 24, "test": 16}
RUNS = {
    "dictionary": "dictionary",
    "majority": "majority",
    "sft": "tiny/sft/seed1",
    "tab_po": "tiny/tab_po/seed1",
}
"""Folder of each row of a table."""

TEXTS = ("*.parquet", "*.safetensors", "base/*", "model/*")
"""Artefacts that hold texts, which docs/own_data.md lists; the tokenizer of a scratch model is one of them."""


def mention(document: Document, number: int) -> str:
    span = document.spans[number]
    return document.text[span.start : span.end]


def linked(document: Document) -> list[str]:
    """A cluster of the first two spans."""
    return [f"T{span.id}" for span in document.spans[:2]]


def as_line(document: Document, group_id: str) -> str:
    """A document as a JSON line in the format `custom`."""
    spans = [
        {"id": f"T{span.id}", "start": span.start, "end": span.end, "label": span.label, "text": mention(document, at)}
        for at, span in enumerate(document.spans)
    ]
    relations = [{"head": f"T{item.head}", "label": item.label, "tail": f"T{item.tail}"} for item in document.relations]
    line = {"id": document.doc_id, "group_id": group_id, "text": document.text, "spans": spans}
    return json.dumps(line | {"relations": relations, "clusters": [linked(document)]}) + "\n"


def as_standoff(document: Document) -> str:
    """A document's annotations in brat's format."""
    lines = [
        f"T{span.id}\t{span.label} {span.start} {span.end}\t{mention(document, at)}"
        for at, span in enumerate(document.spans)
    ]
    lines += [
        f"R{number}\t{item.label} Arg1:T{item.head} Arg2:T{item.tail}"
        for number, item in enumerate(document.relations, start=1)
    ]
    return "\n".join([*lines, f"*\tCoref {' '.join(linked(document))}"])


def write_notes(folder: Path) -> None:
    """Write train and dev as JSON lines, test in brat's format, and an ontology of their labels."""
    documents = {
        split: [item for item in demo_abstracts.generate(split, 2 * size, 1) if len(item.spans) > 1][:size]
        for split, size in SIZES.items()
    }
    (folder / "test").mkdir(parents=True)
    for split in ("train", "dev"):
        lines = [as_line(document, f"{split}{number // 2}") for number, document in enumerate(documents[split])]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    for document in documents["test"]:
        (folder / f"test/{document.doc_id}.txt").write_text(document.text)
        (folder / f"test/{document.doc_id}.ann").write_text(as_standoff(document))
    every = [document for split in SPLITS for document in documents[split]]
    names = {
        "labels": {span.label for document in every for span in document.spans},
        "relations": {relation.label for document in every for relation in document.relations},
    }
    defined = {kind: {name: {"definition": f"What is {name}."} for name in sorted(names[kind])} for kind in names}
    (folder / "labels.yaml").write_text(yaml.safe_dump({"answer": "entities"} | defined))


def write_messages(folder: Path, row) -> None:
    """Write train as a `datasets` folder and test as CSV; dev is taken from train."""
    rows = {
        split: [row(item) for item in demo_messages.generate(split, SIZES[split], 1)] for split in ("train", "test")
    }
    Dataset.from_list(rows["train"]).save_to_disk(folder / "train")
    pd.DataFrame(rows["test"]).to_csv(folder / "test.csv", index=False)


def own_study(folder: Path) -> Path:
    """Write the demo's study for both datasets, with a smaller model, few steps, and a pairing of expert patterns."""
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    shared = {"max_prompt_tokens": 128, "max_completion_tokens": 160, "unit": "document", "prompt": "bare"}
    study["results"] = "results"
    study["datasets"] = {
        "notes": shared | {"source": "custom", "folder": "notes", "ontology": "notes/labels.yaml"},
        "messages": shared | {"source": "pvminer", "folder": "messages", "ontology": "pvminer", "dev_share": 0.2},
    }
    study["models"]["tiny"]["scratch"] |= {"hidden_size": 64, "layers": 2, "intermediate_size": 128, "vocab_size": 900}
    study["training"]["sft"] |= {"steps": 20, "warmup_steps": 2, "batch_size": 16, "micro_batch_size": 16}
    study["training"]["preference"] |= {"steps": 3, "warmup_steps": 1, "batch_size": 16, "micro_batch_size": 16}
    study["training"]["preference"] |= {"watch_steps": 3, "watch_prompts": 8}
    pairing = {"confusions": "expert", "heldout": "dev_confusion", "negatives": 1, "edits": 1, "smoothing": 1.0}
    study["pairings"] = {"expert": pairing}
    study["methods"] = {"tab_po": {"pairing": "expert"}}
    study["tables"] = {
        "notes": {"caption": "Notes.", "datasets": ["notes"], "metrics": ["ner_strict", "rel", "conll", "valid"]},
        "messages": {"caption": "Messages.", "datasets": ["messages"], "metrics": ["code", "triple", "valid"]},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def do_all(configfile: Path) -> set[str]:
    """Run every job of the study with its command line, but in this process: the start of torch takes most of a job.

    Returns:
        The names of the programs.
    """
    output = run(configfile, "--dry-run", "--printshellcmds")
    logging.info("%s", output)
    jobs = jobs_in_order(output)
    with contextlib.chdir(configfile.parent):
        for program, arguments in jobs:
            paths = [Path(path) for path in outputs(arguments)]
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            importlib.import_module(f"workflow_scripts.{program}").main(arguments)
            assert all(path.exists() for path in paths), program
    return {program for program, _ in jobs}


@pytest.fixture(scope="module")
def results(tmp_path_factory, pvminer_row) -> Path:
    """The results of the study; the file `results.log` beside them has the log of its programs."""
    folder = tmp_path_factory.mktemp("own")
    write_notes(folder / "notes")
    write_messages(folder / "messages", pvminer_row)
    root, level = logging.getLogger(), logging.getLogger().level
    handler = logging.FileHandler(folder / "results.log")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    programs = do_all(own_study(folder))
    assert {"documents", "sft", "confusions", "pairs", "train", "score", "tables"} <= programs
    root.removeHandler(handler)
    root.setLevel(level)
    return folder / "results"


@pytest.mark.parametrize(
    ("dataset", "metrics"),
    [("notes", ["ner_strict", "rel", "conll", "valid"]), ("messages", ["code", "triple", "valid"])],
)
def test_raw_files_become_tables(results, dataset, metrics):
    prompts = read_records(results / dataset / "prompts/test.parquet", Prompt)
    assert len(prompts) == SIZES["test"]
    trained = {prompt.prompt_id for prompt in read_records(results / dataset / "prompts/train.parquet", Prompt)}
    pairs = read_records(results / dataset / "tiny/pairs/expert/seed1.parquet", Pair)
    assert {pair.prompt_id for pair in pairs} <= trained and len(pairs) > 0.9 * len(trained)
    for folder in RUNS.values():
        scores = json.loads((results / dataset / folder / "scores/test.json").read_text())
        assert scores["prompts"] == sum(scores["answers"].values()) == len(prompts)
        assert scores["ceiling"][metrics[0]]["set_directed"]["f1"] == 1
    table = pd.read_csv(results / f"tables/{dataset}.csv").set_index(["method", "metric"])
    assert set(table.index) == {(row, metric) for row in RUNS for metric in metrics}
    assert table["mean"].notna().all() and table["mean"]["dictionary", metrics[0]] > 0


def runs_of_words(text: str) -> set[str]:
    """All runs of three consecutive words."""
    return set(re.findall(r"(?=\b(\w+ \w+ \w+)\b)", text))


def test_no_text_is_in_what_may_be_shown(results):
    documents = [
        document
        for dataset in ("notes", "messages")
        for split in SPLITS
        for document in read_records(results / dataset / f"documents/{split}.parquet", Document)
    ]
    texts = {run for document in documents for run in runs_of_words(document.text)}
    assert len(texts) > 1000
    files = [path for path in results.rglob("*") if path.is_file()]
    shown = [path for path in files if not any(path.match(pattern) for pattern in TEXTS)]
    places = {"report.html", "tables", "figures", "export", "looks", "notes", "messages"}
    assert {path.relative_to(results).parts[0] for path in shown} == places
    log = results.with_suffix(".log")
    assert len(log.read_text().splitlines()) > 100
    for path in [log, *shown]:
        assert not runs_of_words(path.read_text()) & texts, path
