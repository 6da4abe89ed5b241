"""The resources that jobs ask a scheduler for, which follow from the class of machines of their model."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.settings.types import MaxJobsPerTimespan

from rules import patches

RESOURCES = Path(__file__).parents[1] / "rules/resources.smk"
WILDCARDS = SimpleNamespace(model="any")


def asked(**machine):
    """A function that returns the values of resource functions for a class of machines."""
    machine = {"processes": 1, "nodes": 1, "gpus": 0, "threads": 1, "mem_mb": 1000, "runtime": 10} | machine
    functions = runpy.run_path(str(RESOURCES), {"STUDY": SimpleNamespace(machine=lambda model: machine)})
    return lambda *names: [functions[name](WILDCARDS) for name in names]


def test_a_job_of_one_node_leaves_its_tasks_to_the_plugin():
    of = asked(processes=4, gpus=4, threads=3)
    assert of("model_gpus", "node_gpus", "model_nodes", "model_threads") == [4, 4, 1, 12]
    assert of("node_starter", "node_tasks", "no_gpu_tasks") == [None, None, None]


def test_a_job_of_two_nodes_has_a_task_on_each_and_starts_them_itself():
    of = asked(processes=8, nodes=2, gpus=8, threads=3)
    assert of("model_gpus", "node_gpus", "model_nodes", "model_threads") == [8, 4, 2, 12]
    assert of("node_starter", "node_tasks", "no_gpu_tasks") == ["srun", 2, 0]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("train", "Write `resources: {big: {mem_mb: 8000}}` into the study (it is 4000, the class of llama)"),
        ("held_out_logps", "Write `resources: {big: {mem_mb: 8000}}` into the study (it is 4000, the class of llama)"),
        ("score", "Write `set-resources: {score: {mem_mb: 8000}}` into your profile (it is 4000)"),
    ],
)
def test_a_job_killed_for_memory_is_told_what_to_write(rule, words):
    study = SimpleNamespace(machine=None, models={"llama": {"resources": "big"}})
    functions = runpy.run_path(str(RESOURCES), {"STUDY": study})
    killed = SimpleNamespace(
        rule=SimpleNamespace(name=rule),
        wildcards=SimpleNamespace(model="llama"),
        resources=SimpleNamespace(mem_mb=4000),
    )
    assert functions["how_to_raise_memory"](killed) == words


def test_every_rule_that_takes_the_memory_of_a_class_is_known():
    """The rules with `mem_mb=model_memory`, and those that use them with other files."""
    text = "\n".join(path.read_text() for path in sorted(RESOURCES.parent.glob("*.smk")))
    blocks = re.split(r"\n(?=(?:use )?rule )", text)
    rules = {re.match(r"rule (\w+)", block)[1] for block in blocks if "mem_mb=model_memory" in block}
    used = {match[2] for match in re.finditer(r"use rule (\w+) as (\w+) with", text) if match[1] in rules}
    assert runpy.run_path(str(RESOURCES), {"STUDY": SimpleNamespace(machine=None)})["RULES_OF_CLASSES"] == rules | used


def test_memory_is_that_of_the_class_at_every_attempt():
    assert asked(mem_mb=500)("model_memory") == [500]


@pytest.mark.parametrize(("asked", "holds"), [("100/1s", False), ("10/1s", True), ("100/1m", True)])
def test_the_default_limit_of_job_starts_is_lifted_and_others_hold(monkeypatch, asked, holds):
    monkeypatch.setattr(MaxJobsPerTimespan, "__bool__", lambda limit: True, raising=False)
    patches.lift_default_rate()
    assert bool(MaxJobsPerTimespan.parse_choice(asked)) == holds


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 6), (10, 60), (100, 600), (2880, 600)])
def test_a_training_job_is_warned_a_tenth_of_its_time_before_the_end(minutes, seconds):
    assert asked(runtime=minutes)("warning") == [f"--signal=USR1@{seconds}"]


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("Unable to contact slurm controller (connect failure)", False),
        ("Socket timed out on send/recv operation", False),
        ("Slurm temporarily unable to accept job, sleeping and retrying", False),
        ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", False),
        ("Invalid partition name specified", True),
        ("Requested node configuration is not available", True),
        ("Memory specification can not be satisfied", True),
        ("Invalid account or account/partition combination specified", True),
    ],
)
def test_a_submission_is_tried_again_unless_the_request_itself_is_refused(answer, refused):
    assert bool(patches.REFUSED.search(f"sbatch: error: Batch job submission failed: {answer}")) == refused


def test_submission_is_tried_for_half_an_hour():
    pauses = list(patches._pauses())
    assert pauses[:6] == [5, 10, 20, 40, 60, 60] and 1800 <= sum(pauses) <= 1900


def test_other_versions_are_refused(monkeypatch):
    patches.check_versions()
    monkeypatch.setitem(patches.VERSIONS, "snakemake-executor-plugin-slurm", "2.9.0")
    with pytest.raises(SystemExit, match=r"plugin-slurm 2\.8\.0 is installed; rules/patches\.py is for 2\.9\.0"):
        patches.check_versions()
