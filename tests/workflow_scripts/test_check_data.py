"""All faults of a study's files are listed in one go, and the limits that its texts need are said."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tabpo.data.faults import SHOWN, list_faults
from tabpo.errors import DataError
from workflow_scripts.check_data import main

ROOT = Path(__file__).parents[2]
LABELS = "answer: entities\nlabels: {Drug: {definition: A drug.}}\n"
LIMITS = {"max_prompt_tokens": 64, "max_completion_tokens": 64}


def row(name: str, label: str = "Drug", end: int = 4) -> dict:
    text = f"Iron helps {name}."
    return {"id": name, "text": text, "spans": [{"start": 0, "end": end, "label": label, "text": "Iron"}]}


def study(folder: Path, monkeypatch, entry: dict, **lines: list) -> None:
    monkeypatch.chdir(folder)
    (folder / "own").mkdir()
    (folder / "labels.yaml").write_text(LABELS)
    for split, rows in lines.items():
        written = [line if isinstance(line, str) else json.dumps(line) for line in rows]
        (folder / f"own/{split}.jsonl").write_text("".join(f"{line}\n" for line in written))
    content = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    content["datasets"] = {"notes": LIMITS | {"folder": "own"} | entry}
    content["tables"] = {"t": {"caption": "T.", "datasets": ["notes"], "metrics": ["ner_strict"]}}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))


CUSTOM = {"source": "custom", "unit": "document", "prompt": "bare", "ontology": "labels.yaml"}


def test_faults_of_all_files_and_kinds_come_at_once_without_a_text(tmp_path, monkeypatch, capsys):
    train = [row("secret0", end=5), "{secret", row("b", label="Secret"), row("c", label="Secret"), row("d")]
    dev, test = [row("e"), row("f") | {"secret": 1}], [row("d"), row("g") | {"spans": []}]
    study(tmp_path, monkeypatch, CUSTOM | {"max_completion_tokens": 5}, train=train, dev=dev, test=test)
    with pytest.raises(DataError, match=r"^7 faults; the first of each kind are listed above$"):
        main(["--config", "study.yaml"])
    printed = capsys.readouterr().out
    listed = printed.partition("## notes: 7 faults\n")[2].splitlines()
    assert [line.partition(";")[0] for line in listed] == [
        "- own/train.jsonl, line 1, spans[0]: is not the text at 0-5",
        "- own/train.jsonl, line 2: no JSON at character 2 (Expecting property name enclosed in double quotes)",
        "- own/train.jsonl, line 3, span 1: label is unknown",
        "- own/train.jsonl, line 4, span 1: label is unknown",
        "- own/dev.jsonl, line 2, the line: has an unknown key in place 4",
        "- document 3 of train and document 1 of test have the same document (1 in all)",
        "- dev has 1 group (by group_id",
    ]
    assert "| Documents without spans | 0 | 0 | 1 |" in printed and "| Drug | 1 | 1 | 1 |" in printed
    assert re.search(r"max_completion_tokens is 5; longest: train \d+, .*; 6 are over it; set \d+", printed)
    assert "max_prompt_tokens is 64;" in printed and "secret" not in printed.lower()


def test_a_study_without_a_fault_ends_well(tmp_path, monkeypatch, capsys):
    study(tmp_path, monkeypatch, CUSTOM, train=[row("a")], dev=[row("b"), row("c")], test=[row("d")])
    main(["--config", "study.yaml"])
    assert "nothing is over it" in capsys.readouterr().out


def test_a_model_that_is_not_there_yet_is_named_with_the_command_that_makes_it(tmp_path, monkeypatch, capsys):
    study(tmp_path, monkeypatch, CUSTOM, train=[row("a")], dev=[row("b"), row("c")], test=[row("d")])
    content = yaml.safe_load(Path("study.yaml").read_text())
    content["models"]["tiny"]["hub"] = "a/b"
    del content["models"]["tiny"]["scratch"]
    Path("my study.yaml").write_text(yaml.safe_dump(content | {"results": "results/own"}))
    main(["--config", "my study.yaml"])
    assert (
        "Lengths in tokens of tiny need its tokenizer: snakemake --profile local --configfile 'my study.yaml' --"
        " results/own/notes/tiny/base\n"
    ) in capsys.readouterr().out


def test_preferences_are_checked_too(tmp_path, monkeypatch, capsys):
    good = {"prompt": "a secret?", "chosen": "yes", "rejected": "no"}
    bad = [good | {"rejected": "yes"}, good | {"prompt": 3}]
    study(tmp_path, monkeypatch, {"source": "preferences"}, train=[good, *bad], dev=[good], test=[*bad])
    content = yaml.safe_load(Path("study.yaml").read_text())
    Path("study.yaml").write_text(yaml.safe_dump(content | {"pairings": {"given": {"confusions": "given"}}}))
    with pytest.raises(DataError, match=r"^4 faults"):
        main(["--config", "study.yaml"])
    printed = capsys.readouterr().out
    assert printed.count("rejected: equals the chosen answer") == printed.count("prompt: is neither text nor chat") == 2
    assert "A split has no document that can be read." in printed and "secret" not in printed


def test_the_first_twenty_of_a_kind_are_listed_and_the_others_counted():
    faults = [DataError(f"a.jsonl, line {n}: label 'L{n}' is unknown") for n in range(SHOWN + 5)]
    lines = list_faults([*faults, DataError("a.jsonl, line 3: is no object")])
    assert len(lines) == SHOWN + 2 and lines[SHOWN:] == ["... and 5 more of this kind", "a.jsonl, line 3: is no object"]
