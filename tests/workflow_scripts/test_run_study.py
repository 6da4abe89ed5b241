"""A long study run seed by seed: what is asked of Snakemake, and studies that are refused."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tabpo.errors import ConfigError
from workflow_scripts import run_study

STUDY = yaml.safe_load((Path(__file__).parents[2] / "config/scierc_smollm2.yaml").read_text())


def write(folder: Path, **changes) -> list[str]:
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return ["--config", str(folder / "study.yaml"), "--output", str(folder / "kept")]


def test_the_results_may_be_below_the_home_folder(tmp_path, monkeypatch):
    commands = []

    def run(command, check=False):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/jobs.json").write_text(json.dumps({"jobs": 2}))  # measured before
    run_study.main(write(tmp_path, results="~/results", seeds=[1]))
    assert len(commands) == len(STUDY["datasets"])  # one seed each
    first = commands[0][commands[0].index("--") + 1]
    assert first == str(tmp_path / "results/scierc/smollm2/sft/seed1/scores/test.json")


def test_a_study_without_results_is_refused_in_one_line(tmp_path, monkeypatch):
    arguments = write(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({key: STUDY[key] for key in STUDY if key != "results"}))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing may be started"))
    with pytest.raises(ConfigError, match="results"):
        run_study.main(arguments)
