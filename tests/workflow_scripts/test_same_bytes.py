"""Card, confusions, pairs and scores of every source have equal bytes in another process, and from shuffled files."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tabpo.answers.units import token_offsets
from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.records import PROMPT_SPLITS, SPLITS, Completion, Document, Pair, Prompt, read_records, write_records
from workflow_scripts import confusions, documents, pairs, prompts, score

ROOT = Path(__file__).parents[2]
SIZES = {"train": 12, "dev": 8, "test": 6}

# By kind: source, ontology, unit of prompts, and ending of its files (none if it has no files).
KINDS = {
    "scierc": ("scierc", "scierc", "sentence", ".json"),
    "scierc_document": ("scierc", "scierc", "document", ".json"),
    "phee": ("phee", "phee", "document", ".json"),
    "pvminer": ("pvminer", "pvminer", "document", ".csv"),
    "custom": ("custom", "scierc", "document", ".jsonl"),
    "brat": ("custom", "scierc", "sentence", ""),
    "demo_abstracts": ("demo_abstracts", "scierc", "sentence", None),
    "demo_messages": ("demo_messages", "pvminer", "document", None),
}
ARTEFACTS = ("card.json", "confusions.parquet", "confusions.ids.txt", "pairs.parquet", "pairs.drawn.json", "test.json")
ARTEFACTS += ("test.counts",)
IN_THE_ORDER_OF_PROMPTS = ("pairs.parquet",)


def scierc_line(document: Document) -> str:
    """A document of the published format, with a cluster; tokens count from 0, ends included."""
    first = {start: number for number, (start, _) in enumerate(token_offsets(document))}
    last = {end: number for number, (_, end) in enumerate(token_offsets(document))}
    at = {span.id: [first[span.start], last[span.end]] for span in document.spans}
    line = {"doc_key": document.doc_id, "sentences": [list(document.tokens)], "clusters": [list(at.values())[:2]]}
    line["ner"] = [[[*at[span.id], span.label] for span in document.spans]]
    line["relations"] = [[[*at[item.head], *at[item.tail], item.label] for item in document.relations]]
    return json.dumps(line) + "\n"


def phee_line(number: int, split: str) -> str:
    """A sentence of the published format with two events."""
    text = f"Severe rash may follow aspirin in {split} {number}, and rash again."

    def entity(piece: str) -> dict:
        return {"text": [[piece]], "start": [[text.rindex(piece)]], "entity_id": ["T1"]}

    events = [
        {"event_id": "E1", "event_type": "Adverse_event", "Trigger": entity("follow"), "Effect": entity("Severe rash")},
        {"event_id": "E2", "event_type": "Adverse_event", "Trigger": entity("again"), "Effect": entity("rash")},
    ]
    row = {"id": f"{split}{number}_1", "context": text, "is_mult_event": True, "annotations": [{"events": events}]}
    return json.dumps(row) + "\n"


def custom_line(document: Document) -> str:
    """A line of a custom document."""
    spans = [
        {"id": str(span.id), "start": span.start, "end": span.end, "label": span.label}
        | {"text": document.text[span.start : span.end]}
        for span in document.spans
    ]
    relations = [{"head": str(item.head), "label": item.label, "tail": str(item.tail)} for item in document.relations]
    return json.dumps({"id": document.doc_id, "text": document.text, "spans": spans, "relations": relations}) + "\n"


def write_brat(folder: Path, written: list[Document]) -> None:
    folder.mkdir()
    for document in written:
        lines = [
            f"T{span.id}\t{span.label} {span.start} {span.end}\t{document.text[span.start : span.end]}\n"
            for span in document.spans
        ]
        (folder / f"{document.doc_id}.txt").write_text(document.text)
        (folder / f"{document.doc_id}.ann").write_text("".join(lines))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_sources(folder: Path, row, shuffle: Random | None) -> None:
    """Write the files of every kind, with shuffled documents if `shuffle` is given."""
    for kind, (source, _, _, ending) in KINDS.items():
        (folder / kind).mkdir(parents=True)
        for split, size in SIZES.items() if ending is not None else ():
            abstracts = demo_abstracts.generate(split, size, 1)
            messages = [{"id": message.doc_id} | row(message) for message in demo_messages.generate(split, size, 1)]
            lines = {"scierc": [*map(scierc_line, abstracts)], "custom": [*map(custom_line, abstracts)]}
            lines["phee"] = [phee_line(number, split) for number in range(size)]
            if shuffle:
                for listed in (abstracts, messages, *lines.values()):
                    shuffle.shuffle(listed)
            path = folder / kind / f"{split}{ending}"
            if kind == "brat":
                write_brat(path, abstracts)
            elif kind == "pvminer":
                write_rows(path, messages)
            else:
                path.write_text("".join(lines[source]))


def wrong(answer: str) -> str:
    """The answer with one wrong label and without its last record."""
    content = json.loads(answer)
    records = next(iter(content.values()))
    if len(records) > 1:
        records.pop()
    swapped = {"Method": "Task", "Task": "Method", "Adverse_event": "Treatment"}
    for record in records[:1]:
        key = "label" if "label" in record else "Code"
        record[key] = swapped.get(record[key], record[key])
    return json.dumps(content)


def make(kind: str, sources: Path, out: Path) -> None:
    """Make card, scores, confusions and pairs from files, with the programs of the rules."""
    source, ontology, unit, ending = KINDS[kind]
    ontology = str(ROOT / f"config/ontologies/{ontology}.yaml")
    generated = {**SIZES, "seeds": dict.fromkeys(SPLITS, 1)} if ending is None else None
    given = [] if ending is None else [str(sources / kind / f"{split}{ending}") for split in SPLITS]
    settings = {"source": source, "generate": generated, "private": False, "dev_share": None}
    called = [*("--settings", json.dumps(settings), "--sources", *given, "--ontology", ontology)]
    called += [*("--output-card", str(out / "card.json"), "--output-page", str(out / "card.md"))]
    documents.main([*called, *(part for split in SPLITS for part in (f"--output-{split}", str(out / f"{split}.docs")))])

    style = {"unit": unit, "prompt": "bare", "context": []}
    called = ["--settings", json.dumps(style), "--ontology", ontology]
    called += [part for split in SPLITS for part in (f"--{split}", str(out / f"{split}.docs"))]
    written = {split: str(out / f"prompts/{split}.parquet") for split in PROMPT_SPLITS}
    prompts.main([*called, *(p for split in written for p in (f"--output-{split.replace('_', '-')}", written[split]))])

    for split, docs in (("dev_confusion", "dev"), ("test", "test")):
        asked = read_records(Path(written[split]), Prompt)
        said = [Completion(prompt.prompt_id, wrong(prompt.answer), 9, True) for prompt in asked]
        write_records(out / "completions.parquet", Completion, said)
        called = ["--completions", str(out / "completions.parquet"), "--prompts", written[split]]
        called += ["--documents", str(out / f"{docs}.docs"), "--ontology", ontology]
        called += ["--output-predictions", str(out / f"{split}.predictions")]
        called += ["--output-counts", str(out / f"{split}.counts")]
        score.main([*called, "--output-scores", str(out / f"{split}.json")])
    called = ["--predictions", str(out / "dev_confusion.predictions"), "--prompts", written["dev_confusion"]]
    called += ["--documents", str(out / "dev.docs"), "--ontology", ontology, "--split", "dev_confusion"]
    table = str(out / "confusions.parquet")
    confusions.main([*called, "--output", table, "--output-ids", str(out / "confusions.ids.txt")])

    pairing = {"name": "mixed", "confusions": "mixed", "heldout": "dev_confusion", "negatives": 2, "edits": 1}
    pairing |= {"smoothing": 1.0, "expert_share": 0.4, "flip_rate": 0.1, "private": False, "seed": 1}
    pairing |= {"kinds": None, "max_token_edits": None}
    pairing["limits"] = {"max_prompt_tokens": 999, "max_completion_tokens": 9999}
    patterns = ROOT / f"config/ambiguities/{Path(ontology).stem}.yaml"
    called = ["--settings", json.dumps(pairing), "--confusions", table, "--prompts", written["train"]]
    called += ["--documents", str(out / "train.docs"), "--ontology", ontology, "--ambiguities", str(patterns)]
    called += ["--base", str(sources), "--output", str(out / "pairs.parquet")]
    pairs.main([*called, "--output-drawn", str(out / "pairs.drawn.json")])


def make_all(folder: str, runs: dict[str, str]) -> None:
    """Make every kind; `runs` maps output folders to folders of sources."""
    for out, sources in runs.items():
        for kind in KINDS:
            make(kind, Path(folder, sources), Path(folder, out, kind))


@pytest.fixture(scope="module")
def made(tmp_path_factory, pvminer_row) -> Path:
    """Folders `first`, `second` (another process and hash seed) and `shuffled`, with all kinds in each."""
    folder = tmp_path_factory.mktemp("same")
    tokenizer = Tokenizer(models.WordLevel({chr(code): code for code in range(32, 127)} | {"[UNK]": 0}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    for name, shuffle in (("plain", None), ("other", Random(1))):
        write_sources(folder / name, pvminer_row, shuffle)
        tokenizer.save(str(folder / name / "tokenizer.json"))
    runs = {"1": {"first": "plain"}, "2": {"second": "plain", "shuffled": "other"}}
    for hash_seed, of_process in runs.items():
        program = (
            f"from tests.workflow_scripts.test_same_bytes import make_all; make_all({str(folder)!r}, {of_process})"
        )
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_writes_the_same_bytes(made, kind):
    for name in ARTEFACTS:
        assert (made / "first" / kind / name).read_bytes() == (made / "second" / kind / name).read_bytes(), name


# Excludes folders, whose documents are read in the order of names, and generated data, which have no files.
@pytest.mark.parametrize("kind", [kind for kind, (*_, ending) in KINDS.items() if ending])
def test_the_order_of_documents_does_not_matter(made, kind):
    given = [
        [document.doc_id for document in read_records(made / name / kind / "train.docs", Document)]
        for name in ("first", "shuffled")
    ]
    assert given[0] != given[1] and sorted(given[0]) == sorted(given[1])
    for name in ARTEFACTS:
        ours, theirs = (made / run / kind / name for run in ("first", "shuffled"))
        if name in IN_THE_ORDER_OF_PROMPTS:
            both = [sorted(read_records(path, Pair), key=lambda pair: pair.pair_id) for path in (ours, theirs)]
            assert both[0] == both[1] and len(both[0]) >= 2 * SIZES["train"] - 4
        else:
            assert ours.read_bytes() == theirs.read_bytes(), name
