"""The main process as a job of a real Slurm goes on in its successors, and no step is done twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 600
REQUEST = "--account=tabpo --partition=main --mem=1000 --cpus-per-task=1 --time=2 --signal=B:USR1@65"

pytestmark = pytest.mark.slurm


def queue() -> str:
    asked = ["squeue", "--noheader", "--name=tabpo", "--format=%A"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def test_a_main_process_in_a_job_goes_on_in_its_successor(tmp_path):
    """Each main process is warned after about a minute and killed 20 seconds later; the job lasts over two minutes."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/slurm").symlink_to(PROJECT / "profiles/slurm")
    activate = tmp_path / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"PATH={Path(sys.executable).parent}:$PATH\n")
    arguments = ["--profile", PROJECT / "profiles/slurm", "--profile", PROJECT / "tests/slurm/site"]
    arguments += ["--snakefile", PROJECT / "tests/slurm/faults.smk", "--default-resources", "slurm_account=tabpo"]
    arguments += ["slurm_partition=both", "mem_mb=700", "runtime=10", "--config", f"project={PROJECT}"]
    arguments += ["names=a", "steps=260"]
    environment = os.environ | {"TABPO_SBATCH": REQUEST, "TABPO_GRACE_S": "20"}
    command = ["sbatch", *REQUEST.split(), "profiles/slurm/main_process.sh", *arguments]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    deadline = time.monotonic() + PATIENCE_S
    while queue():
        assert time.monotonic() < deadline
        time.sleep(2)
    logs = "".join(path.read_text() for path in tmp_path.glob("tabpo-*.log"))
    assert len(list(tmp_path.glob("tabpo-*.log"))) >= 2 and "is resumed: Slurm job" in logs
    history = [line.partition(" ")[2] for line in (tmp_path / "checkpoints/a.history").read_text().splitlines()]
    assert history == ["starts after 0", *(f"step {step}" for step in range(1, 261)), "ends"]
    assert len((tmp_path / "out/a/result").read_text().split()) == 260
