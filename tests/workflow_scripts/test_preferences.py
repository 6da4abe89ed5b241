"""The program `preferences`, called like its rule calls it."""

import json

import pytest

from tabpo.errors import DataError
from tabpo.records import Preference, Prompt, read_records
from workflow_scripts import preferences


def call(folder, train, test):
    for split, prompts in (("train", train), ("test", test)):
        rows = [{"prompt": prompt, "chosen": "yes", "rejected": "no", "group_id": prompt[:1]} for prompt in prompts]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"source": "preferences", "generate": None, "private": False, "dev_share": 0.25}
    settings |= {"columns": None, "faulty_rows": "refuse"}
    outputs = {"train": "train.parquet", "dev-select": "dev.parquet", "test": "test.parquet"}
    outputs |= {"card": "card.json", "page": "card.md"}
    written = [part for name, file in outputs.items() for part in (f"--output-{name}", str(folder / file))]
    written += ["--output-preferences", *(str(folder / f"pairs/{name}.parquet") for name in ("train", "dev", "test"))]
    sources = [str(folder / f"{split}.jsonl") for split in ("train", "test")]
    preferences.main(["--settings", json.dumps(settings), "--sources", *sources, *written])


def test_dev_is_taken_from_train_by_whole_groups(tmp_path):
    call(tmp_path, ["a 1", "b 1", "c 1", "d 1", "a 2", "b 2", "c 2", "d 2"], ["e"])
    parts = {name: read_records(tmp_path / f"{name}.parquet", Prompt) for name in ("train", "dev", "test")}
    groups = {name: {prompt.messages[0].content[0] for prompt in part} for name, part in parts.items()}
    assert len(groups["dev"]) == 1 and groups["train"] | groups["dev"] == set("abcd") and groups["test"] == {"e"}
    assert {name: len(part) for name, part in parts.items()} == {"train": 6, "dev": 2, "test": 1}
    pairs = read_records(tmp_path / "pairs/dev.parquet", Preference)
    assert [pair.prompt_id for pair in pairs] == [prompt.prompt_id for prompt in parts["dev"]]
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["group_id"] == "all documents have one" and card["splits"]["dev"]["preferences"] == 2


def test_a_group_of_two_splits_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(DataError, match="document 1 of train and document 1 of test have the same group"):
        call(tmp_path, ["a 1", "b 1", "c 1"], ["a 2"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".jsonl"}
