"""The runs, pages and figures in the report of a study."""

import json
from pathlib import Path

import pytest
import yaml

from tabpo.losses import loss_names
from tabpo.study.report import report_exhibits, report_runs, report_settings
from tabpo.study.resolve import Known, resolve_study

CONFIG = Path(__file__).parents[2] / "config"
KNOWN = Known(
    presets=yaml.safe_load((CONFIG / "methods.yaml").read_text()),
    ontologies={"scierc": "entities", "phee": "results", "pvminer": "results"},
    losses=loss_names(),
    revisions={},
)
ARGUMENT = 100_000
"""Largest number of bytes of the settings in a command line; Linux accepts 131,071 in all, quotes included."""


@pytest.fixture
def demo() -> dict:
    """Two datasets with a table each, two seeds, methods with different pairings, and a model behind an endpoint."""
    config = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    config |= {"results": "/somewhere/results/small", "seeds": [1, 2]}
    config["models"]["gpt"] = {
        "endpoint": {"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"},
    }
    recipe = {"negatives": 1, "edits": 1, "smoothing": 1.0}
    config["pairings"]["other"] = {"confusions": "uniform", "heldout": "crossfit"} | recipe
    config["pairings"]["own"] = {"confusions": "on_policy"}
    config["methods"] = {"dpo": {}, "rpo": {}, "tab_po": {"pairing": "other"}, "cpo": {"pairing": "own"}}
    return config


def test_every_trained_run_is_listed_once(demo):
    runs = report_runs(resolve_study(demo, KNOWN))
    assert [(run["dataset"], run["model"], run["method"], tuple(run["seeds"])) for run in runs] == [
        (dataset, "tiny", method, (1, 2))
        for dataset in ("demo_abstracts", "demo_messages")
        for method in ("sft", "dpo", "rpo", "tab_po", "cpo")
    ]


def test_every_page_and_figure_is_listed_once(demo):
    exhibits = report_exhibits(resolve_study(demo, KNOWN))
    shown = [(item["model"], item["title"], item["files"]) for item in exhibits if item["dataset"] == "demo_messages"]
    pages, figures = "demo_messages/tiny/pairs", "figures/confusions/demo_messages/tiny"
    assert shown == [
        (None, "Data card", ["demo_messages/card.md"]),
        ("tiny", "Pairs: mixed", [f"{pages}/mixed/seed1.md", f"{pages}/mixed/seed2.md"]),
        ("tiny", "Confusions of SFT: dev_confusion", [f"{figures}/seed1.svg", f"{figures}/seed2.svg"]),
        ("tiny", "Pairs: other", [f"{pages}/other/seed1.md", f"{pages}/other/seed2.md"]),
        ("tiny", "Confusions of SFT: crossfit", [f"{figures}/crossfit/seed1.svg", f"{figures}/crossfit/seed2.svg"]),
        ("tiny", "Pairs: own", [f"{pages}/own/seed1.md", f"{pages}/own/seed2.md"]),
        ("tiny", "Training, step by step", ["figures/training/demo_messages/tiny.svg"]),
        ("tiny", "Confusions on test before and after a method", ["figures/changes/demo_messages/tiny.svg"]),
        ("tiny", "Erosion of held-out gold tokens", ["figures/erosion/demo_messages/tiny.svg"]),
        ("tiny", "Tokens that each loss looks at", ["figures/gradients/demo_messages/tiny.svg"]),
    ]


def test_settings_contain_no_folder_and_no_address_of_the_user(demo):
    folder = {key: value for key, value in demo["models"]["tiny"].items() if key != "scratch"}
    demo["models"]["mine"] = folder | {"folder": "/somewhere/else"}
    demo["models"]["small"] = folder | {"gguf": {"path": "/somewhere/else/Small-1B.Q4_1.gguf"}}
    settings = report_settings(resolve_study(demo, KNOWN))
    assert settings["study"] == "small"
    assert [entry["origin"] for entry in settings["models"]] == [
        "from scratch",
        "gpt-x, behind an endpoint",
        "a local folder",
        "dequantised from Small-1B.Q4_1.gguf, which holds 4-bit weights",
    ]
    assert "somewhere" not in json.dumps(settings) and "example.org" not in json.dumps(settings)


@pytest.mark.parametrize("name", ["config", "extended"])
def test_the_largest_studies_fit_into_a_command_line(name):
    study = resolve_study(yaml.safe_load((CONFIG / f"{name}.yaml").read_text()), KNOWN)
    assert len(json.dumps(report_settings(study))) < ARGUMENT


def test_a_study_of_endpoints_alone_has_no_runs(demo):
    demo |= {"models": {"gpt": demo["models"]["gpt"]}, "methods": {}}
    settings = report_settings(resolve_study(demo, KNOWN))
    assert (settings["runs"], settings["costs"]) == ([], False)
    assert [exhibit["title"] for exhibit in settings["exhibits"]] == ["Data card", "Data card"]
