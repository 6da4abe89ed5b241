"""Preferences in the graph: the example of docs/own_data.md, from its lines to a table."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tabpo.records import Pair, Prompt, read_records
from tests.test_study_own import do_all

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs/own_data.md").read_text()


def example(folder: Path) -> dict:
    """Write the files of the page's example; return the demo's study with the example's keys and a smaller model."""
    for name, content in re.findall(r"^`(preferred/\S+)`:\n\n```\w+\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    study |= {"results": "results/preferred"} | yaml.safe_load((folder / "preferred/study.yaml").read_text())
    study["models"]["tiny"]["scratch"] |= {"hidden_size": 32, "layers": 2, "intermediate_size": 48, "vocab_size": 400}
    for stage in study["training"].values():
        stage |= {"steps": 5, "warmup_steps": 1, "batch_size": 4, "micro_batch_size": 4, "checkpoint_steps": 5}
    study["training"]["preference"]["watch_steps"] = 5
    return study


def snakemake(folder: Path, study: dict, *arguments: str) -> subprocess.CompletedProcess:
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += [*arguments, "--cores", "2", "--configfile", "study.yaml"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_pages_example_runs_to_its_table(tmp_path, caplog, capfd):
    caplog.set_level("INFO")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(example(tmp_path)))
    do_all(tmp_path / "study.yaml")
    results = tmp_path / "results/preferred"

    table = pd.read_csv(results / "tables/preferred.csv").set_index(["metric", "method"])["mean"]
    assert set(table.index.get_level_values("method")) == {"sft", "dpo", "tdpo2"}  # no baselines
    caption = (results / "tables/preferred.md").read_text()
    assert table.notna().all() and caption.startswith("INSIDE ONLY: ")
    assert "Shares of test pairs in percent" in caption and "nan" not in caption

    card = json.loads((results / "preferred/card.json").read_text())
    assert card["private"] and card["splits"]["train"]["preferences"] == 4
    prompts = read_records(results / "preferred/prompts/train.parquet", Prompt)
    assert [prompt.prompt_id for prompt in prompts] == ["train-1", "train-2", "tea", "train-4"]
    pairs = read_records(results / "preferred/tiny/pairs/given/seed1.parquet", Pair)
    assert [(pair.pair_id, pair.chosen, pair.edits) for pair in pairs][2] == ("tea/0", "Two to three minutes.", ())
    assert (pairs[3].chosen, pairs[3].rejected) == (prompts[3].answer, "Yes.")

    audit = json.loads((results / "preferred/tiny/pairs/given/seed1.audit.json").read_text())
    assert audit["drawn"]["pairs"] == 4 and audit["reference"]["all"]["pairs"] == 4
    page = (results / "preferred/tiny/pairs/given/seed1.md").read_text()
    assert "No pair is made from dev or test" in page and "mean margin" in page and "Examples" not in page

    for method in ("dpo", "tdpo2"):
        run = results / f"preferred/tiny/{method}/seed1"
        health = json.loads((run / "watch.json").read_text())["health"]
        assert [row["step"] for row in health] == [0, 5]
        assert health[0]["reward_accuracy"] == 0.5 and health[1]["reward_margin"] != 0
        scores = json.loads((run / "scores/test.json").read_text())
        assert scores["pairs"] == 3
        assert scores["reward_margin"] == pytest.approx(scores["chosen_reward"] - scores["rejected_reward"])
    steps = pd.read_parquet(results / "preferred/tiny/dpo/seed1/training.parquet")
    assert steps["margin"].iloc[0] == 0 and steps["margin"].iloc[-1] > 0

    words = {"Jupiter", "Adriatic", "February", "kitchen"}
    output = "".join([*capfd.readouterr(), caplog.text])
    assert "5 steps in" in output and not [word for word in words if word in output]
    shown = [*results.glob("**/*.md"), *results.glob("**/*.json")]
    assert not [path for path in shown if any(word in path.read_text() for word in words) and "model" not in path.parts]


@pytest.mark.parametrize("program", ["preferences", "given_pairs", "score_preferences"])
def test_programs_for_preferences_print_their_help(program):
    command = [sys.executable, "-m", f"workflow_scripts.{program}", "--help"]
    started = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert started.returncode == 0 and f"usage: {program}.py" in started.stdout, started.stderr


def test_a_mistake_ends_a_dry_run_with_one_message(tmp_path):
    study = example(tmp_path)
    study["methods"]["dpo"] = {"pairing": "mixed"}
    refused = snakemake(tmp_path, study, "--dry-run", "--quiet", "all")
    assert refused.returncode != 0
    message = (refused.stdout + refused.stderr).strip().split("\n")[-1]
    assert message == "ConfigError: methods.dpo.pairing names mixed; pairings has: given"
