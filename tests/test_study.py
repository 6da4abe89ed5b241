"""A study of two minutes gives equal bytes twice, although one of the two runs is interrupted."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow

NOT_COMPARED = {"provenance.json", "timing.parquet", "cost.csv", "cost.md", "cost.tex"}


def study(folder: Path, keep_models: str) -> Path:
    """A smaller demo: 60 SFT steps and 5 preference steps on 300 generated abstracts."""
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    study |= {"results": str(folder / "results"), "keep_models": keep_models}
    del study["datasets"]["demo_messages"], study["tables"]["messages"]
    study["datasets"]["demo_abstracts"]["generate"] |= {"train": 300, "dev": 60, "test": 40}
    study["datasets"]["demo_abstracts"]["max_completion_tokens"] = 160
    study["training"]["sft"] |= {"steps": 60, "warmup_steps": 10, "checkpoint_steps": 20}
    study["training"]["preference"] |= {"steps": 5, "warmup_steps": 1, "checkpoint_steps": 2}
    study["methods"] = {"dpo": {}, "tab_po": {}}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def command(configfile: Path, *arguments: str) -> list[str]:
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(configfile)),
        *("--directory", str(configfile.parent), "--cores", "2", "--rerun-incomplete", *arguments),
    ]


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(configfile: Path, *arguments: str) -> str:
    done = subprocess.run(
        command(configfile, *arguments), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stdout + done.stderr


def interrupt_when(configfile: Path, started: Path) -> None:
    """Send the signal of Ctrl-C as soon as the log `started` exists."""
    process = subprocess.Popen(
        command(configfile),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 300
    while not started.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(120) != 0


def artefacts(results: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and path.name not in NOT_COMPARED
        and path.relative_to(results).parts[0] not in ("logs", "benchmarks")
    }


def test_two_runs_one_interrupted_give_the_same_bytes(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    run(study(first, "all"))
    interrupted = study(second, "sft")
    interrupt_when(interrupted, second / "results/logs/sft/demo_abstracts/tiny/seed1.log")
    assert not (second / "results/tables/abstracts.csv").exists()
    assert "nothing to be done" not in run(interrupted).lower()

    ours, theirs = artefacts(first / "results"), artefacts(second / "results")
    of_losses = [name for name in ours if re.match("demo_abstracts/tiny/(dpo|tab_po)/seed1/model/", name)]
    assert sorted(ours) == sorted([*theirs, *of_losses]) and len(of_losses) > 2
    assert [name for name in theirs if ours[name] != theirs[name]] == []
    assert "nothing to be done" in run(interrupted, "-n").lower()

    costs = pd.read_csv(first / "results/tables/cost.csv").set_index("method")
    assert costs.loc["dpo", "flops"] > 0 and costs.loc["tab_po", "steps"] > 0

    table = pd.read_csv(first / "results/tables/abstracts.csv")
    assert set(table["method"]) == {"dictionary", "majority", "sft", "dpo", "tab_po"}
    assert table["mean"].notna().all()
    steps = pd.read_parquet(first / "results/demo_abstracts/tiny/dpo/seed1/training.parquet")
    assert steps["step"].tolist() == [1, 2, 3, 4, 5]
    assert steps["loss"][0] == pytest.approx(0.693147, abs=2e-2)  # the policy starts as the reference
    assert not list((first / "results").rglob("*.partial*"))
    assert not list((first / "results/checkpoints").rglob("checkpoint-*"))
