"""The resources that jobs ask a scheduler for, which follow from the class of machines of their model."""

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
    functions["second_memory"] = lambda wildcards: functions["model_memory"](wildcards, attempt=2)
    return lambda *names: [functions[name](WILDCARDS) for name in names]


def test_a_job_of_one_node_leaves_its_tasks_to_the_plugin():
    of = asked(processes=4, gpus=4, threads=3)
    assert of("model_gpus", "node_gpus", "model_nodes", "model_threads") == [4, 4, 1, 12]
    assert of("node_starter", "node_tasks", "no_gpu_tasks") == [None, None, None]


def test_a_job_of_two_nodes_has_a_task_on_each_and_starts_them_itself():
    of = asked(processes=8, nodes=2, gpus=8, threads=3)
    assert of("model_gpus", "node_gpus", "model_nodes", "model_threads") == [8, 4, 2, 12]
    assert of("node_starter", "node_tasks", "no_gpu_tasks") == ["srun", 2, 0]


def test_a_second_attempt_has_twice_the_memory():
    assert asked(mem_mb=500)("second_memory") == [1000]


@pytest.mark.parametrize(("asked", "holds"), [("100/1s", False), ("10/1s", True), ("100/1m", True)])
def test_the_default_limit_of_job_starts_is_lifted_and_others_hold(monkeypatch, asked, holds):
    monkeypatch.setattr(MaxJobsPerTimespan, "__bool__", lambda limit: True, raising=False)
    patches.lift_default_rate()
    assert bool(MaxJobsPerTimespan.parse_choice(asked)) == holds


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 6), (10, 60), (100, 600), (2880, 600)])
def test_a_training_job_is_warned_a_tenth_of_its_time_before_the_end(minutes, seconds):
    assert asked(runtime=minutes)("warning") == [f"--signal=USR1@{seconds}"]
