"""Compare what jobs ask Slurm for with what its partitions offer, before the first job is submitted.

Slurm accepts many jobs that no partition can run, and they wait in the queue for ever. Those that it refuses would be
refused only when they are submitted, perhaps days after the start.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakemake_executor_plugin_slurm.partitions import parse_gpu_requirements, parse_scontrol_partition_output
from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes

NODES = ("sinfo", "--exact", "--noheader", "--format=%R|%c|%m|%f|%G")
"""The command that lists the kinds of nodes of each partition: CPUs, memory in MB, features, GPUs."""


@dataclass(frozen=True)
class Request:
    """What a job asks for; cores, memory and GPUs are those of each of its nodes."""

    partition: str
    runtime: int
    nodes: int
    cores: int
    mem_mb: int
    gpus: int
    constraint: str
    qos: str


@dataclass(frozen=True)
class Node:
    """A kind of node of a partition."""

    partition: str
    cores: int
    mem_mb: int
    features: frozenset[str]
    gpus: int


def request_of(job: Any) -> Request:
    """What a job of Snakemake, or a group of jobs, asks for; memory that is not known yet counts as 0."""
    given = job.resources.get
    nodes, memory = given("nodes") or 1, given("mem_mb")
    return Request(
        partition=given("slurm_partition") or "",
        runtime=given("runtime") or 0,
        nodes=nodes,
        cores=job.threads,
        mem_mb=memory if isinstance(memory, int) else 0,
        gpus=math.ceil(parse_gpu_requirements(job)[0] / nodes),
        constraint=given("constraint") or "",
        qos=given("qos") or "",
    )


def read_nodes(sinfo: str) -> list[Node]:
    """Read the answer to the command `NODES`."""
    rows = [line.split("|") for line in sinfo.split("\n") if line]
    return [
        Node(
            partition=partition,
            cores=int(cores),
            mem_mb=int(memory),
            features=frozenset(features.split(",")),
            gpus=sum(map(int, re.findall(r"\bgpu(?::[^:,(]+)?:(\d+)", gres))),
        )
        for partition, cores, memory, features, gres in rows
    ]


def unmet(request: Request, name: str, partition: Mapping[str, str] | None, nodes: Sequence[Node]) -> str | None:
    """Say what a partition does not offer that a request needs; None if nothing is missing.

    Args:
        request: What a job asks for.
        name: Name of the partition.
        partition: Its limits by Slurm's names, None if there is no such partition.
        nodes: Kinds of nodes of all partitions.
    """
    if partition is None:
        return f"there is no partition {name}"
    if _number(partition, "MaxTime") < request.runtime:
        return f"runtime={request.runtime} is more minutes than MaxTime={partition['MaxTime']} of partition {name}"
    if _number(partition, "MaxNodes") < request.nodes:
        return f"nodes={request.nodes} is more than MaxNodes={partition['MaxNodes']} of partition {name}"
    allowed = partition.get("AllowQos", "ALL")
    if request.qos and allowed != "ALL" and request.qos not in allowed.split(","):
        return f"qos={request.qos} is not among AllowQos={allowed} of partition {name}"
    # An expression with alternatives or counts is left to Slurm.
    expression = re.search(r"[^\w.,&-]", request.constraint)
    features = set() if expression else set(filter(None, re.split("[,&]", request.constraint)))
    here = [node for node in nodes if node.partition == name]
    if any(_fits(request, node) and features <= node.features for node in here):
        return None
    asked = f"threads={request.cores}, mem_mb={request.mem_mb}, gpu={request.gpus}"
    wanted = f" and the features {request.constraint}" if features else ""
    kinds = "; ".join(f"{node.cores} CPUs, {node.mem_mb} MB, {node.gpus} GPUs" for node in here)
    return f"no node of partition {name} has {asked}{wanted} (it has: {kinds or 'no nodes'})"


def _fits(request: Request, node: Node) -> bool:
    return node.cores >= request.cores and node.mem_mb >= request.mem_mb and node.gpus >= request.gpus


def _number(partition: Mapping[str, str], limit: str) -> float:
    value = partition.get(limit, "UNLIMITED")
    if value == "UNLIMITED":
        return math.inf
    return parse_time_to_minutes(value) if limit == "MaxTime" else int(value)


def unmet_requests(jobs: Iterable[Any], scontrol: str, sinfo: str) -> Iterator[str]:
    """Yield a message for each kind of request that none of its partitions can meet.

    Args:
        jobs: Jobs of Snakemake and groups of them that would be submitted.
        scontrol: What `scontrol show partition` prints.
        sinfo: What the command `NODES` prints.
    """
    partitions, nodes = parse_scontrol_partition_output(scontrol), read_nodes(sinfo)
    default = next((name for name, limits in partitions.items() if limits.get("Default") == "YES"), None)
    requests: dict[Request, Counter[str]] = {}
    for job in jobs:
        model = job.wildcards.get("model")
        requests.setdefault(request_of(job), Counter())[f"{job.name} of {model}" if model else job.name] += 1
    for request, names in requests.items():
        asked = request.partition or default
        if asked is None:  # the cluster has no default partition; the plugin says so itself
            continue
        reasons = [unmet(request, name, partitions.get(name), nodes) for name in asked.split(",")]
        if all(reasons):
            yield (
                f"Slurm cannot start {names.total()} jobs ({', '.join(sorted(names))}): {'; '.join(reasons)}. Change"
                " the class in `resources` of the study, or the partition in your profile."
            )
