"""Isolation holds, or the first id that breaks it is named."""

import json
from pathlib import Path

import pytest

from tabpo.data.isolation import prove_isolation
from tabpo.errors import DataError
from tabpo.records import PROMPT_SPLITS, Document, Edit, Message, Pair, Prompt, write_records
from workflow_scripts import isolation

ROOT = Path(__file__).parents[2]
RECORD = '{"id":1,"label":"Task","span":"net"}'


def prompt(prompt_id: str) -> Prompt:
    return Prompt(prompt_id, prompt_id.split("#")[0], (Message("user", "text"),), "{}")


def pair(prompt_id: str) -> Pair:
    return Pair(f"{prompt_id}/0", prompt_id, "a", "b", (Edit("label", "entities/1/label", "A", "B", "uniform"),), 1)


@pytest.fixture
def prompts() -> dict[str, list[Prompt]]:
    return {
        "train": [prompt("A#0"), prompt("A#1"), prompt("B#0")],
        "dev_confusion": [prompt("C#0"), prompt("C#1")],
        "dev_select": [prompt("D#0")],
        "test": [prompt("E#0")],
    }


def test_counts(prompts):
    proof = prove_isolation("dev_confusion", ["C#0"], [pair("A#0"), pair("A#1")], prompts)
    assert proof["splits"]["train"] == {"prompts": 3, "documents": 2}
    assert proof["confusions"] == {"prompts": 1, "of": "dev_confusion"}
    assert proof["pairs"] == {"pairs": 2, "prompts": 2, "of": "train"}
    assert proof["choices"] == {"of": "dev_select"}


@pytest.mark.parametrize(
    ("heldout", "ids", "choices", "refused"),
    [
        ("dev", ["C#0", "D#0"], None, ("A#0", "confusions come from dev_confusion and dev_select alone: A#0 is of tr")),
        (
            "crossfit",
            ["A#0", "B#0"],
            "dev_select",
            ("C#0", "confusions come from train alone: C#0 is of dev_confusion"),
        ),
        (None, [], "dev_select", ("A#0", "confusions come from nothing alone: A#0 is of train")),
    ],
)
def test_where_else_confusions_may_come_from(prompts, heldout, ids, choices, refused):
    proof = prove_isolation(heldout, ids, [pair("A#0")], prompts)
    assert proof["confusions"] == {"prompts": len(ids), "of": heldout}
    assert proof["choices"] == {"of": choices}
    with pytest.raises(DataError, match=refused[1]):
        prove_isolation(heldout, [*ids, refused[0]], [pair("A#0")], prompts)


@pytest.mark.parametrize(
    ("ids", "pairs", "message"),
    [
        (["C#0", "D#0"], [], "confusions come from dev_confusion alone: D#0 is of dev_select"),
        (["E#0"], [], "confusions come from dev_confusion alone: E#0 is of test"),
        (["A#1"], [], "confusions come from dev_confusion alone: A#1 is of train"),
        (["Z#9"], [], "confusions come from dev_confusion alone: Z#9 is of no split"),
        ([], ["A#0", "E#0"], "pairs come from train alone: E#0 is of test"),
        ([], ["C#1"], "pairs come from train alone: C#1 is of dev_confusion"),
    ],
)
def test_what_stems_from_elsewhere_is_refused(prompts, ids, pairs, message):
    with pytest.raises(DataError, match=message):
        prove_isolation("dev_confusion", ids, [pair(prompt_id) for prompt_id in pairs], prompts)


def test_splits_that_share_a_prompt_or_a_document_are_refused(prompts):
    with pytest.raises(DataError, match="splits share no document: C is in dev_confusion and dev_select"):
        prove_isolation("dev_confusion", [], [], {**prompts, "dev_select": [prompt("C#7")]})
    with pytest.raises(DataError, match="splits share no prompt: A#1 is in train and test"):
        prove_isolation("dev_confusion", [], [], {**prompts, "test": [prompt("A#1")]})


def test_of_preferences_there_are_no_documents_and_no_labels_to_prove(tmp_path: Path, prompts):
    arguments = ["--settings", '{"heldout": null, "private": false}', "--dev-confusion", "--documents", "--ontology"]
    for split in ("train", "dev_select", "test"):
        write_records(tmp_path / f"{split}.parquet", Prompt, prompts[split])
        arguments += [f"--{split.replace('_', '-')}", str(tmp_path / f"{split}.parquet")]
    arguments += ["--ids", "--pairs", str(tmp_path / "pairs.parquet"), "--output", str(tmp_path / "proof.json")]
    write_records(tmp_path / "pairs.parquet", Pair, [Pair("A#0/0", "A#0", "no", "{}", (), 1)])  # flipped
    isolation.main(arguments)
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["answers"] == {"answers": 2} and set(proof["splits"]) == {"train", "dev_select", "test"}
    write_records(tmp_path / "pairs.parquet", Pair, [Pair("A#0/0", "A#0", "no", "yes", (), 1)])
    with pytest.raises(DataError, match="pair A#0/0: one of its answers must be gold, and one must not"):
        isolation.main(arguments)


def test_the_program_reads_and_writes_files(tmp_path: Path, prompts):
    gold, wrong = (f'{{"entities":[{record}],"relations":[]}}' for record in ("", RECORD))
    prompts["train"] = [Prompt("B#0", "B", (Message("user", "net"),), gold)]
    write_records(tmp_path / "documents.parquet", Document, [Document("B", None, "net", ("net",), ((0, 1),), ())])
    arguments = ["--settings", '{"heldout": "dev_confusion", "private": false}', "--ids", str(tmp_path / "ids.txt")]
    for split in PROMPT_SPLITS:
        write_records(tmp_path / f"{split}.parquet", Prompt, prompts[split])
        arguments += [f"--{split.replace('_', '-')}", str(tmp_path / f"{split}.parquet")]
    arguments += ["--pairs", str(tmp_path / "pairs.parquet"), "--documents", str(tmp_path / "documents.parquet")]
    arguments += ["--ontology", str(ROOT / "config/ontologies/scierc.yaml")]

    edits = (Edit("insert", "entities/-", "", RECORD, "uniform"),)
    write_records(tmp_path / "pairs.parquet", Pair, [Pair("B#0/0", "B#0", gold, wrong, edits, 1)])
    (tmp_path / "ids.txt").write_text("C#0\nC#1\n")
    isolation.main([*arguments, "--output", str(tmp_path / "proof.json")])
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["confusions"]["prompts"] == 2
    assert proof["answers"] == {"answers": 2, "records": 1}

    (tmp_path / "ids.txt").write_text("C#0\nE#0\n")
    with pytest.raises(DataError, match="E#0 is of test"):
        isolation.main([*arguments, "--output", str(tmp_path / "second.json")])
    (tmp_path / "ids.txt").write_text("")
    write_records(tmp_path / "pairs.parquet", Pair, [Pair("B#0/0", "B#0", gold, wrong.replace(":[", ": ["), edits, 1)])
    with pytest.raises(DataError, match="pair B#0/0: its rejected answer is refused: it is not rendered as gold"):
        isolation.main([*arguments, "--output", str(tmp_path / "second.json")])
    assert not (tmp_path / "second.json").exists()
