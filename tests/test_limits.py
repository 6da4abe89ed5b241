"""What jobs ask for is compared with Slurm's partitions, in the words in which `scontrol` and `sinfo` print them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from rules.limits import Node, read_nodes, unmet_requests

ROOT = Path(__file__).parents[1]

PARTITIONS = """PartitionName=cpu
   AllowGroups=ALL AllowAccounts=ALL AllowQos=normal,long
   Default=YES QoS=N/A
   MaxNodes=1 MaxTime=1-00:00:00 MinNodes=0 LLN=NO
   State=UP TotalCPUs=64 TotalNodes=1

PartitionName=gpu
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   Default=NO QoS=N/A
   MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 LLN=NO
   State=UP TotalCPUs=256 TotalNodes=4
"""
NODES = """cpu|64|256000|(null)|(null)
gpu|64|512000|a100,nvme|gpu:a100:4(S:0-1)
gpu|128|1024000|h100|gpu:h100:8(S:0-1),shard:16
"""


def job(name: str = "train", model: str | None = "large", threads: int = 1, **resources: object) -> SimpleNamespace:
    wildcards = {"model": model} if model else {}
    return SimpleNamespace(name=name, threads=threads, resources=resources, wildcards=wildcards)


def messages(*jobs: SimpleNamespace) -> list[str]:
    return list(unmet_requests(jobs, PARTITIONS, NODES))


def test_nodes_are_read_with_their_gpus_and_features():
    assert read_nodes(NODES)[1:] == [
        Node("gpu", 64, 512000, frozenset({"a100", "nvme"}), 4),
        Node("gpu", 128, 1024000, frozenset({"h100"}), 8),
    ]


@pytest.mark.parametrize(
    "asked",
    [
        {"runtime": 1440, "mem_mb": 256000, "threads": 64},
        {"slurm_partition": "gpu", "runtime": 99999, "gpu": 8, "mem_mb": 900000},
        {"slurm_partition": "gpu", "gpu": 16, "nodes": 2},  # eight on each
        {"slurm_partition": "gpu", "gres": "gpu:a100:4", "constraint": "a100&nvme"},
        {"slurm_partition": "gpu", "constraint": "v100|a100"},  # left to Slurm
        {"slurm_partition": "cpu,gpu", "gpu": 1},
        {"qos": "long"},
    ],
)
def test_nothing_is_said_of_what_a_partition_offers(asked):
    assert messages(job(**asked)) == []


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"runtime": 1441}, "runtime=1441 is more minutes than MaxTime=1-00:00:00 of partition cpu"),
        ({"nodes": 2}, "nodes=2 is more than MaxNodes=1 of partition cpu"),
        ({"qos": "high"}, "qos=high is not among AllowQos=normal,long of partition cpu"),
        ({"slurm_partition": "big"}, "there is no partition big"),
        (
            {"gpu": 1},
            "no node of partition cpu has threads=1, mem_mb=0, gpu=1 (it has: 64 CPUs, 256000 MB, 0 GPUs)",
        ),
        (
            {"slurm_partition": "gpu", "gpu": 8, "constraint": "a100"},
            "no node of partition gpu has threads=1, mem_mb=0, gpu=8 and the features a100 (it has: 64 CPUs, 512000 MB,"
            " 4 GPUs; 128 CPUs, 1024000 MB, 8 GPUs)",
        ),
        ({"slurm_partition": "gpu", "mem_mb": 1024001}, "threads=1, mem_mb=1024001, gpu=0 (it has: 64 CPUs"),
        ({"slurm_partition": "cpu,big", "nodes": 2}, "of partition cpu; there is no partition big"),
    ],
)
def test_what_no_partition_offers_is_named(asked, reason):
    [message] = messages(job(**asked))
    assert message.startswith("Slurm cannot start 1 jobs (train of large): ") and reason in message


def test_equal_requests_are_one_message():
    [message] = messages(job(runtime=2000), job(runtime=2000), job("sft", runtime=2000), job("report", None))
    assert message.startswith("Slurm cannot start 3 jobs (sft of large, train of large): runtime=2000 ")


WORKFLOW = """
import sys
sys.path.insert(0, {root!r})
include: {start!r}
rule all:
    input: "a", "b"
    localrule: True
rule work:
    output: "{{name}}"
    resources: runtime=2000, mem_mb=500
    shell: "echo begun > begun; sleep {seconds}; echo > {{output}}"
"""


def start(folder: Path, seconds: float, *options: str, **environment: str) -> subprocess.Popen:
    text = WORKFLOW.format(root=str(ROOT), start=str(ROOT / "rules/start.smk"), seconds=seconds)
    (folder / "Snakefile").write_text(text)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path} | environment
    command = ["snakemake", "--workflow-profile", "none", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment, **pipes)


def test_an_unmet_request_is_reported_before_the_first_job_is_submitted(tmp_path):
    """The Slurm plugin's executor, with stand-ins that print the partitions and accept no job."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, printed in (("scontrol", PARTITIONS), ("sinfo", NODES), ("squeue", ""), ("sacct", "")):
        (commands / f"{name}.txt").write_text(printed)
        (commands / name).write_text(f'#!/bin/sh\nexec cat "{commands}/{name}.txt"\n')
    (commands / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid option' >&2\nexit 1\n")
    for command in commands.iterdir():
        command.chmod(0o755)
    path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    options = ("--executor", "slurm", "--jobs", "2", "--default-resources", "slurm_account=a", "slurm_partition=cpu")
    process = start(tmp_path, 0.1, *options, PATH=path)
    printed, _ = process.communicate(timeout=300)
    warning = "Slurm cannot start 2 jobs (work): runtime=2000 is more minutes than MaxTime=1-00:00:00 of partition cpu"
    assert process.returncode == 1
    assert 0 < printed.index(warning) < printed.index("Error in rule work"), printed


@pytest.mark.parametrize(("cores", "code"), [("2", 0), ("1", 1)])
def test_sigterm_to_the_main_process_fails_only_if_jobs_are_left(tmp_path, cores, code):
    """With two cores both jobs run at the signal, and finish; with one core the other is left."""
    process = start(tmp_path, 8.0, "--cores", cores)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    time.sleep(2.0)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=300)
    assert "Will exit after finishing currently running jobs" in printed
    assert process.returncode == code, printed
    assert len([*tmp_path.glob("[ab]")]) == int(cores)
