"""The main process as a job of Slurm: it submits a successor when its time ends, and none when the study is complete.

Stand-ins take the place of sbatch, scancel and Snakemake.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SCRIPT = "profiles/slurm/main_process.sh"
ENDS_WHEN_ASKED = "trap 'exit 1' TERM; while :; do sleep 0.1; done"
ENDS_NEVER = "trap '' TERM; for i in $(seq 100); do sleep 0.1; done"


@pytest.fixture
def job(tmp_path):
    """Start the script as Slurm would; `calls` has a line for each call of a stand-in."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").touch()
    (tmp_path / "bin").mkdir()

    def write(name, lines):
        path = tmp_path / "bin" / name
        path.write_text(f'#!{shutil.which("bash")}\necho {name} "$@" >>{tmp_path}/calls\n{lines}\n')
        path.chmod(0o755)

    def start(snakemake, sbatch="echo 8", **environment):
        for name, lines in {"snakemake": snakemake, "sbatch": sbatch, "scancel": ""}.items():
            write(name, lines)
        slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "4000"}
        path = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        process = subprocess.Popen(
            ["bash", PROJECT / SCRIPT, "--profile", "slurm", "--configfile", "a b.yaml"],
            env=slurm | path | {"TABPO_SBATCH": "--account=mine --time=60"} | environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + 20
        while not (tmp_path / "calls").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.3)  # until the stand-in has set its trap
        return process

    return start


def calls(folder):
    return (folder / "calls").read_text().splitlines()


STARTED = "snakemake --profile slurm --configfile a b.yaml"
SUBMITTED = f"sbatch --parsable --dependency=afterany:7 --account=mine --time=60 {SCRIPT} {STARTED.partition(' ')[2]}"


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_that_ends_before_its_time_has_no_successor(tmp_path, job, code):
    assert job(f"exit {code}").wait(timeout=20) == code
    assert calls(tmp_path) == [STARTED]


def test_a_warned_run_is_ended_gently_and_goes_on_in_its_successor(tmp_path, job):
    process = job(ENDS_WHEN_ASKED)
    os.kill(process.pid, signal.SIGUSR1)
    assert process.wait(timeout=20) == 0
    assert calls(tmp_path) == [STARTED, SUBMITTED]


def test_a_run_whose_jobs_last_longer_is_killed_after_the_grace(tmp_path, job):
    process = job(ENDS_NEVER, TABPO_GRACE_S="1")
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGUSR1)
    assert process.wait(timeout=20) == 0 and time.monotonic() - begun < 8
    assert calls(tmp_path) == [STARTED, SUBMITTED]


def test_a_study_that_is_complete_after_the_warning_needs_no_successor(tmp_path, job):
    process = job("trap 'exit 0' TERM; while :; do sleep 0.1; done")
    os.kill(process.pid, signal.SIGUSR1)
    assert process.wait(timeout=20) == 0
    assert calls(tmp_path) == [STARTED, SUBMITTED, "scancel 8"]


def test_snakemake_inherits_nothing_of_the_job_s_own_request(tmp_path, job):
    process = job(f"env | grep ^SLURM_ >{tmp_path}/left", SLURM_CONF="/etc/site/slurm.conf")
    process.wait(timeout=20)
    assert (tmp_path / "left").read_text() == "SLURM_CONF=/etc/site/slurm.conf\n"
