"""Rows from other systems in a study: where they stand, which files they need, and what is refused."""

import pytest

from tabpo.errors import ConfigError
from tabpo.names import run_folders
from tabpo.study import jobs as job
from tabpo.study.imported import check_files
from tabpo.study.resolve import resolve_study
from tests.study.test_resolve import KNOWN, load


@pytest.fixture
def demo() -> dict:
    """The demo with two seeds, and answers of two systems to the test prompts of its abstracts."""
    config = load("demo") | {"seeds": [2, 1]}
    config["tables"]["abstracts"]["methods"] = ["dpo"]
    config["imported"] = {
        "grpo": {"model": "tiny", "files": {"demo_abstracts": {1: "a/1.jsonl", 2: "a/2.jsonl"}}},
        "gliner": {"files": {"demo_abstracts": "b.csv"}},
    }
    return config


def test_a_row_stands_beside_its_model_or_beside_all_models(demo):
    study = resolve_study(demo, KNOWN)
    table = job.table_settings(study, "abstracts")
    assert table["rows"] == ["sft", "dpo", "grpo", "gliner", "dictionary", "majority"]
    assert table["imported"] == ["grpo", "gliner"]
    folders = [folder for run, folder in run_folders(table["runs"]) if run["method"] in ("grpo", "gliner")]
    assert folders == [
        "demo_abstracts/tiny/grpo/seed2",
        "demo_abstracts/tiny/grpo/seed1",
        "demo_abstracts/gliner",
    ]
    assert job.imported_files(study) == dict(zip(folders, ["a/2.jsonl", "a/1.jsonl", "b.csv"], strict=True))
    assert job.table_settings(study, "messages")["imported"] == []
    assert not {"grpo", "gliner"} & {run["method"] for run in job.cost_settings(study)["runs"]}


def test_a_row_of_another_model_is_not_in_a_table(demo):
    demo["models"]["small"] = demo["models"]["tiny"]
    demo["tables"]["abstracts"]["models"] = ["small"]
    assert job.table_settings(resolve_study(demo, KNOWN), "abstracts")["imported"] == ["gliner"]


def test_an_imported_row_can_be_what_others_are_compared_with(demo):
    demo["tables"]["abstracts"]["tests"] = {"against": "gliner"}
    assert job.table_settings(resolve_study(demo, KNOWN), "abstracts")["against"] == "gliner"


def test_a_data_set_that_is_left_out_needs_no_files(demo):
    demo["datasets"]["own"] = demo["datasets"]["demo_abstracts"] | {"source": "custom", "folder": None}
    del demo["datasets"]["own"]["generate"]
    demo["imported"]["gliner"]["files"]["own"] = "c.csv"
    assert list(resolve_study(demo, KNOWN).imported["gliner"]["files"]) == ["demo_abstracts"]


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("dpo", {"files": {"demo_abstracts": "b.csv"}}, "imported.dpo: methods has an entry of this name too"),
        ("tiny", {"files": {"demo_abstracts": "b.csv"}}, "imported.tiny: models has an entry of this name too"),
        ("pairs", {"files": {"demo_abstracts": "b.csv"}}, "imported.pairs is a reserved word"),
        ("x", {"files": {"abstracts": "b.csv"}}, "imported.x.files names abstracts; did you mean demo_abstracts?"),
        ("x", {"files": {}}, "imported.x.files is a mapping; accepted: a mapping, entries at least 1"),
        (
            "x",
            {"files": {"demo_abstracts": {1: "b.csv"}}},
            "imported.x.files.demo_abstracts has files for seeds 1; acc",
        ),
        (
            "x",
            {"files": {"demo_abstracts": {1: "b.csv", 2: "c.csv", 3: "d.csv"}}},
            "imported.x.files.demo_abstracts has files for seeds 1, 2, 3; accepted: a file for each of the",
        ),
        ("x", {"files": {"demo_abstracts": ["b.csv"]}}, "imported.x.files.demo_abstracts is ['b.csv']; accepted: "),
        (
            "x",
            {"files": {"demo_abstracts": "b.csv", "demo_messages": {1: "c.csv", 2: "d.csv"}}},
            "imported.x.files has one file for a data set, and files by seed for another; accepted: the same for all",
        ),
        (
            "x",
            {"model": "tony", "files": {"demo_abstracts": "b.csv"}},
            "imported.x.model names tony; did you mean tiny",
        ),
        ("x", {"folder": "b"}, "imported.x has an unknown key folder; it takes: model, files"),
    ],
)
def test_a_refusal_names_the_entry(demo, name, entry, message):
    demo["imported"] = {name: entry}
    with pytest.raises(ConfigError) as error:
        resolve_study(demo, KNOWN)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_files_exist_and_have_an_accepted_ending(tmp_path):
    good, other = tmp_path / "a.jsonl", tmp_path / "a.json"
    good.touch(), other.touch()
    check_files({"x": {"files": {"own": {1: str(good)}}}})
    for path in (other, tmp_path / "b.jsonl", tmp_path):
        with pytest.raises(
            ConfigError, match=r"^imported\.x\.files\.own\.1: .* is no file of answers; accepted: a file"
        ):
            check_files({"x": {"files": {"own": {1: str(path)}}}})
