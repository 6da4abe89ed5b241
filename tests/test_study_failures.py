"""A study with a method that always fails: everything else is made, and partial tables say why cells are empty."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tabpo.processes.failure import OUTPUTS_MISSING

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a small study on generated abstracts; the loss of `broken` leaves the range of float32."""
    folder = tmp_path_factory.mktemp("failures")
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    study["results"] = "results/small"
    del study["datasets"]["demo_messages"], study["tables"]["messages"]
    study["datasets"]["demo_abstracts"]["generate"] |= {"train": 300, "dev": 60, "test": 40}
    study["datasets"]["demo_abstracts"]["max_completion_tokens"] = 160
    study["training"]["sft"] |= {"steps": 60, "warmup_steps": 10, "checkpoint_steps": 60}
    study["training"]["preference"] |= {"steps": 4, "warmup_steps": 0, "checkpoint_steps": 4, "watch_steps": 4}
    study["methods"] = {
        "dpo": {},
        "broken": {"loss": "dpo", "params": {"beta": 1e38}, "training": {"learning_rate": 1.0}},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder


@pytest.fixture(scope="module")
def printed(folder) -> str:
    """What the failing call prints."""
    done = snakemake(folder, "--keep-going")
    assert done.returncode == 1, done.stderr[-6000:]
    return done.stderr


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [*(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")), "--cores", "2"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [*command, "--directory", str(folder), "--configfile", str(folder / "study.yaml"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_last_lines_have_each_failed_job_its_reason_log_and_command(printed):
    lines = printed.split("\n")
    assert any(line.startswith("Jobs that failed: ") for line in lines)
    start = next(number for number, line in enumerate(lines) if line.startswith("train demo_abstracts tiny broken 1: "))
    failed, log, command = lines[start : start + 3]
    assert failed.startswith("train demo_abstracts tiny broken 1: DataError: ")
    assert log == "    log: results/small/logs/train/demo_abstracts/tiny/broken/seed1.log"
    assert command.startswith("    again: snakemake ") and "--keep-going" in command
    assert command.endswith(" -- results/small/demo_abstracts/tiny/broken/seed1/run.yaml")
    assert "Tables and report of what exists: results/small/partial" in lines


def test_the_failed_job_keeps_its_reason(folder, printed):
    kept = json.loads((folder / "results/small/logs/train/demo_abstracts/tiny/broken/seed1.failed.json").read_text())
    assert sorted(kept) == ["log", "reason", "rule"] and kept["rule"] == "train"
    assert kept["reason"].startswith("DataError: ") and "\n" not in kept["reason"]
    rules = {json.loads(path.read_text())["rule"] for path in folder.rglob("*.failed.json")}
    assert {"train"} <= rules <= {"train", "gradient_figure"}  # the figure draws the gradients of every loss


def test_declared_tables_are_not_written(folder, printed):
    assert not (folder / "results/small/tables/abstracts.md").exists()
    assert not (folder / "results/small/report.html").exists()


def test_partial_tables_have_the_other_rows_and_the_reason(folder, printed):
    partial = folder / "results/small/partial"
    table = pd.read_csv(partial / "tables/abstracts.csv").set_index("method")
    complete = table.drop("broken")
    assert set(complete.index) == {"sft", "dpo", "dictionary", "majority"} and complete["mean"].notna().all()
    assert table.loc["broken", "mean"].isna().all()
    assert table.loc["broken", "reason"].str.startswith("n/a (seed 1 failed: DataError: ").all()
    page = (partial / "tables/abstracts.md").read_text()
    assert "PARTIAL, since jobs failed." in page and "| n/a (seed 1 failed: DataError" in page
    assert (partial / "tables/per_metric/rel.csv").exists()
    report = (partial / "report.html").read_text()
    assert "PARTIAL" in report and "demo_abstracts/tiny/dpo/seed1/run.yaml" in report
    assert "demo_abstracts/tiny/broken/seed1/run.yaml" not in report
    assert (partial / "demo_abstracts/tiny/dpo/seed1/run.yaml").exists()
    costs = pd.read_csv(partial / "tables/cost.csv")
    assert list(costs["method"]) == ["dpo"] and "tables/cost.md" in report
    assert "PARTIAL, since jobs failed. Cost" in (partial / "tables/cost.md").read_text()
    macros = (partial / "tables/macros.tex").read_text()
    assert "tabpo:demo_abstracts/tiny/dpo/rel/mean" in macros and "tiny/broken" not in macros


def test_the_next_call_tries_the_failed_job_again_and_removes_what_is_partial(folder, printed):
    study = yaml.safe_load((folder / "study.yaml").read_text())
    study["methods"]["broken"] = {"loss": "dpo"}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-6000:]
    assert pd.read_csv(folder / "results/small/tables/abstracts.csv")["mean"].notna().all()
    assert not list(folder.rglob("*.failed.json")) and not (folder / "results/small/partial").exists()


def test_a_job_whose_outputs_are_missing_is_listed_with_its_reason(folder, tmp_path):
    """A program that ends without an error and writes nothing, like a file system that shows a file too late."""
    program = tmp_path / "bin/python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    (tmp_path / "study.yaml").write_text((folder / "study.yaml").read_text())
    target = "results/small/demo_abstracts/card.json"
    command = [*(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1")]
    done = subprocess.run(
        [*command, "--latency-wait", "1", "--configfile", "study.yaml", "--", target],
        env=os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"documents demo_abstracts: {OUTPUTS_MISSING}\n    log: " in done.stderr
    reason = json.loads((tmp_path / "results/small/logs/documents/demo_abstracts.failed.json").read_text())
    assert reason["reason"] == OUTPUTS_MISSING
