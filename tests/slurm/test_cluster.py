"""The smallest study on a real Slurm: equal bytes as locally, killed and warned jobs, jobs of two GPUs or nodes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

PROJECT = Path(__file__).parents[2]
RESULTS = Path("results/tests/slurm")
RUNS = Path("demo_abstracts/tiny")
NOT_COMPARED = {"provenance.json", "timing.parquet", "cost.csv", "cost.md", "cost.tex"}
NOT_ARTEFACTS = {"logs", "benchmarks", "checkpoints"}

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Profiles linked by the project's set-up, in a new configuration folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config"))}
    subprocess.run([PROJECT / "envs/setup.sh"], env=environment, check=True)
    return environment


def command(profile, results, *targets, **config):
    profiles = ["--profile", "slurm", "--profile", "tests/slurm/site"] if profile == "slurm" else ["--profile", "local"]
    study = yaml.safe_load((PROJECT / "tests/slurm/study.yaml").read_text())
    update_config(study, {"results": str(results), **config})
    configfile = PROJECT / f"{results}.yaml"
    configfile.parent.mkdir(parents=True, exist_ok=True)
    configfile.write_text(yaml.safe_dump(study))
    return ["snakemake", *targets, *profiles, "--configfile", str(configfile)]


def run(environment, *args, **config):
    """Run the study, check that it succeeded, and return its messages."""
    result = subprocess.run(command(*args, **config), env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-6000:]
    return result.stderr


def jobs(messages):
    """Jobs of a run from Slurm's accounting: comment (rule and wildcards), state, allocation."""
    name = messages.split("SLURM run ID: ")[1].split()[0]
    ended = {"COMPLETED", "CANCELLED", "FAILED", "OUT_OF_MEMORY"}
    for _ in range(20):  # accounting learns the end of a job a little later than the queue
        answer = subprocess.run(
            ["sacct", "--allocations", "--noheader", "--parsable2", "--name", name, "--format=comment,state,alloctres"],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split("|") for line in answer.stdout.splitlines()]
        rows = [(comment, state.split()[0], allocation) for comment, state, allocation in rows]
        if {state for _, state, _ in rows} <= ended:
            return rows
        time.sleep(1)
    raise AssertionError(f"jobs without an end: {rows}")


def states(messages, rule):
    return sorted(state for comment, state, _ in jobs(messages) if comment.startswith(f"rule_{rule}_wildcards"))


def artefacts(results):
    """Bytes by path of all files that must not depend on time and place; the report's commands name the results."""
    folder = PROJECT / results
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(str(results).encode(), b"results")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_COMPARED and path.relative_to(folder).parts[0] not in NOT_ARTEFACTS
    }


def assert_same(ours, theirs):
    ours, theirs = artefacts(ours), artefacts(theirs)
    assert ours.keys() == theirs.keys()
    assert [path for path, content in ours.items() if content != theirs[path]] == []


def wait_for(words, log, process, messages):
    """Wait until a job's log has these words, while the run continues."""
    deadline = time.monotonic() + 300
    while not log.exists() or words not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, messages.read_text()[-6000:]
        time.sleep(0.5)


@pytest.fixture(scope="module")
def local(environment):
    results = RESULTS / "local/study"  # the folder's name equals the cluster's, since a report names its study
    shutil.rmtree(PROJECT / results, ignore_errors=True)
    run(environment, "local", results)
    return results


@pytest.fixture(scope="module")
def slurm(environment):
    """The study's folder on the cluster, and the messages of its run."""
    results = RESULTS / "slurm/study"
    shutil.rmtree(PROJECT / results, ignore_errors=True)
    return results, run(environment, "slurm", results)


def test_every_job_runs_once_and_ends_well(slurm):
    _, messages = slurm
    rows = jobs(messages)
    comments = [comment for comment, _, _ in rows]
    assert {state for _, state, _ in rows} == {"COMPLETED"}
    assert len(set(comments)) == len(comments)
    assert sum(comment.startswith("rule_train_wildcards") for comment in comments) == 2
    # answers to test of SFT and two methods, each with its score in one job; those to dev_confusion also with the pairs
    assert sum(comment.startswith("rule_answers_predict_score_wildcards") for comment in comments) == 3
    assert sum(comment.startswith("rule_answers_confusions_pairs_predict_score_wild") for comment in comments) == 1
    assert sum(comment.startswith("rule_reference_audit_reference_wildcards") for comment in comments) == 1
    joined = ("predict", "score", "confusions", "pairs", "audit")
    assert not [comment for comment in comments if comment.startswith(tuple(f"rule_{rule}" for rule in joined))]


def test_artefacts_are_those_of_the_local_run(local, slurm):
    folder, _ = slurm
    assert {"tables/abstracts.csv", f"{RUNS}/tab_po/seed1/model/model.safetensors"} <= artefacts(local).keys()
    assert_same(local, folder)


def test_a_cancelled_job_is_done_again_with_the_same_result(environment, local, slurm):
    folder, _ = slurm
    shutil.rmtree(PROJECT / folder / RUNS / "dpo")
    log = PROJECT / folder / f"logs/train/{RUNS}/dpo/seed1.log"
    log.unlink()
    target = str(folder / RUNS / "dpo/seed1/scores/test.json")
    messages = log.parent / "messages"
    with messages.open("w") as file:
        process = subprocess.Popen(command("slurm", folder, target), env=environment, cwd=PROJECT, stderr=file)
        wait_for("launch: train,", log, process, messages)
        running = subprocess.run(["squeue", "--noheader", "--format=%A %k"], capture_output=True, text=True, check=True)
        (job,) = [line.split()[0] for line in running.stdout.splitlines() if "rule_train_wildcards" in line]
        subprocess.run(["scancel", job], check=True)
        assert process.wait(timeout=300) == 0, messages.read_text()[-6000:]
    assert states(messages.read_text(), "train") == ["CANCELLED", "COMPLETED"]
    # Snakemake deletes a job's log before it tries again; the first attempt's log is in Snakemake's messages.
    assert (messages.read_text() + log.read_text()).count("launch: train,") == 2
    assert_same(local, folder)


def test_a_job_that_is_killed_for_memory_says_what_to_write(environment, local, slurm):
    folder, _ = slurm
    target = folder / RUNS / "tab_po/seed1/completions/test.parquet"
    (PROJECT / target).unlink()
    small = command("slurm", folder, str(target), models={"tiny": {"resources": "too_small"}})
    killed = subprocess.run(small, env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert killed.returncode == 1 and "Write `resources: {too_small: {mem_mb: 1000}}` into the study" in killed.stderr
    ((_, state, allocation),) = jobs(killed.stderr)
    assert state in ("FAILED", "OUT_OF_MEMORY") and "mem=500M" in allocation
    run(environment, "slurm", folder, str(target), models={"tiny": {"resources": "cpu"}})
    assert_same(local, folder)


def start_from(folder, results):
    """Copy all inputs of SFT into another results folder."""
    shutil.rmtree(PROJECT / results, ignore_errors=True)
    for part in ("demo_abstracts/documents", "demo_abstracts/prompts", RUNS / "base"):
        shutil.copytree(PROJECT / folder / part, PROJECT / results / part)
    return str(results / RUNS / "sft/seed1/run.yaml")


def launches(results):
    log = (PROJECT / results / f"logs/sft/{RUNS}/seed1.log").read_text()
    return [line.split("launch: ")[1] for line in log.splitlines() if "launch: " in line]


@pytest.fixture(scope="module")
def two_gpus(environment, slurm):
    """The folder of an SFT run of two processes on one node, and the messages of its run."""
    results = RESULTS / "two_gpus"
    target = start_from(slurm[0], results)
    return results, run(environment, "slurm", results, target, models={"tiny": {"resources": "two_gpus"}})


def test_a_job_of_two_gpus_runs_its_script_once_and_sees_both(two_gpus):
    results, messages = two_gpus
    ((_, state, allocation),) = jobs(messages)
    assert state == "COMPLETED" and "gres/gpu=2" in allocation and "node=1" in allocation
    assert launches(results) == ["sft, 2 processes, GPUs [0,1]"]


def test_a_job_of_two_nodes_gives_the_bytes_of_one(environment, slurm, two_gpus):
    results = RESULTS / "two_nodes"
    target = [start_from(slurm[0], results), "--set-resources", "sft:slurm_partition=both"]
    messages = run(environment, "slurm", results, *target, models={"tiny": {"resources": "two_nodes"}})
    ((_, state, allocation),) = jobs(messages)
    assert state == "COMPLETED" and "gres/gpu=2" in allocation and "node=2" in allocation
    assert launches(results) == 2 * ["sft, 2 processes, GPUs [0]"]
    assert_same(two_gpus[0], results)


def test_a_job_that_is_warned_goes_on_in_the_next(environment, slurm):
    """`scancel` sends the signal of `--signal` to the same processes."""
    results = RESULTS / "warned"
    target = start_from(slurm[0], results)
    log = PROJECT / results / f"logs/sft/{RUNS}/seed1.log"
    messages = log.parent / "messages"
    messages.parent.mkdir(parents=True)
    with messages.open("w") as file:
        process = subprocess.Popen(command("slurm", results, target), env=environment, cwd=PROJECT, stderr=file)
        wait_for(" parameters for 60 steps", log, process, messages)
        (job,) = subprocess.run(["squeue", "--noheader", "--format=%A"], capture_output=True, text=True).stdout.split()
        subprocess.run(["scancel", "--signal=USR1", job], check=True)
        assert process.wait(timeout=300) == 0, messages.read_text()[-6000:]
    assert states(messages.read_text(), "sft") == ["COMPLETED"]  # Slurm has put the same job back into the queue
    assert "warned: stopped after step" in log.read_text()
    assert "resuming from checkpoint-" in log.read_text()
    unbroken = artefacts(slurm[0])
    assert [path for path, content in artefacts(results).items() if content != unbroken[path]] == []
