"""What the jobs of a dry run would cost in time, memory and disk, and why they would run."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from tabpo.names import SFT
from tabpo.tuning.trials import is_trial

SHARED = "(all methods)"
"""The method of jobs that are done once for all methods of a model."""

TRAINING = ("sft", "train", "sft_trial", "train_trial")

BYTES_A_WEIGHT = 4
"""Models are stored in float32."""

CHECKPOINTS = 2
"""A run in progress keeps this many checkpoints."""

BYTES_IN_A_CHECKPOINT = 12
"""Bytes for each trained weight: the weight and two moments of the optimiser in float32."""


@dataclass(frozen=True)
class PlannedJob:
    """One job of a dry run.

    Attributes:
        rule: Its rule.
        wildcards: Its wildcards.
        reason: Why it would run, as Snakemake says it.
        gpus: GPUs that it asks for.
        mem_mb: Memory that it asks for.
        limit_s: The time after which a scheduler ends it.
        training: The training settings of a training; empty for other jobs.
    """

    rule: str
    wildcards: Mapping[str, str]
    reason: str
    gpus: int
    mem_mb: int
    limit_s: float
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_of_tuning(self) -> bool:
        """Whether it is a job of a trial, or chooses among trials."""
        return self.rule in ("choice", "tuning") or is_trial(self.wildcards.get("method", ""))

    @property
    def lora(self) -> Mapping[str, Any] | None:
        """The settings of adapters; None if all weights are trained, or none."""
        return self.training.get("lora")


Key = tuple[str, str | None, str | None, str | None]
"""Rule, data set, model and method of jobs with a measured time; None stands for all."""


def read_dry_run(text: str) -> list[PlannedJob]:
    """Read the jobs from what `snakemake --dry-run --printshellcmds` prints; the target `all` is left out."""
    jobs = []
    for block in re.split(r"\n(?= *(?:local)?rule \w+:\n)", text)[1:]:
        rule = re.match(r" *(?:local)?rule (\w+):", block)[1]  # the jobs of a group are indented
        if rule == "all":
            continue
        fields = dict(re.findall(r"^ +(reason|wildcards|resources): (.*)$", block, re.MULTILINE))
        resources = dict(pair.split("=", 1) for pair in fields["resources"].split(", "))
        wildcards = dict(pair.split("=", 1) for pair in fields.get("wildcards", "").split(", ") if "=" in pair)
        numbers = [float(resources.get(name, 0)) for name in ("gpu", "mem_mb", "runtime")]
        settings = re.search(r" --settings '(\{.*?\})' --", block) if rule in TRAINING else None
        training = {} if settings is None else json.loads(settings[1])["training"]
        asked = int(numbers[0]), int(numbers[1]), 60 * numbers[2]
        jobs.append(PlannedJob(rule, wildcards, fields["reason"], *asked, training))
    return jobs


def read_measured(results: Path) -> dict[Key, list[float]]:
    """Return the seconds of finished jobs, for each key and the wider keys that include it.

    A training's seconds come from its `provenance.json`, which counts all attempts, those of other jobs from
    Snakemake's benchmarks.
    """
    measured: dict[Key, list[float]] = {}
    for path in sorted(results.glob("*/*/*/seed*/provenance.json")):
        dataset, model, method = path.parts[-5:-2]
        made = json.loads(path.read_text())
        if "wall_s" in made:
            rule = "sft" if method.partition("+")[0] == SFT else "train"
            _note(measured, (rule, dataset, model, method), made["wall_s"])
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        rule, *axes = path.relative_to(results / "benchmarks").with_suffix("").parts
        if rule not in TRAINING:
            dataset, model, method = [*axes, None, None, None][:3]
            with path.open() as file:
                for row in csv.DictReader(file, delimiter="\t"):
                    _note(measured, (rule, dataset, model, method), float(row["s"]))
    return measured


def _note(measured: dict[Key, list[float]], key: Key, seconds: float) -> None:
    for wider in dict.fromkeys(_wider(key)):
        measured.setdefault(wider, []).append(seconds)


def _wider(key: Key) -> list[Key]:
    rule, dataset, model, _ = key
    return [key, (rule, dataset, model, None), (rule, None, model, None)]


def estimated_s(job: PlannedJob, measured: Mapping[Key, Sequence[float]]) -> tuple[float, bool]:
    """Return the seconds of a job, and whether they were measured.

    They are the mean of finished jobs of the same rule, data set, model and method; without these, of all methods; then
    of all data sets. If no job of this rule and model has finished, they are the time limit.
    """
    dataset, model, method = (job.wildcards.get(name) for name in ("dataset", "model", "method"))
    key = job.rule.removesuffix("_trial"), dataset, model, SFT if job.rule == "sft" else method
    for wider in _wider(key):
        if wider in measured:
            return fmean(measured[wider]), True
    return job.limit_s, False


def plan_page(
    jobs: Sequence[PlannedJob],
    measured: Mapping[Key, Sequence[float]],
    memory_mb: Mapping[str, int],
    disk: str,
    weights: Sequence[str],
    other_code: str,
) -> str:
    """Return the plan as Markdown.

    Args:
        jobs: From `read_dry_run`.
        measured: From `read_measured`.
        memory_mb: The largest memory of one process that finished runs of a model measured, by model.
        disk: A paragraph about disk.
        weights: A line for each model whose weights are not on this machine.
        other_code: The message about runs of other code; "" if there are none.
    """
    if not jobs:
        return "Nothing is to be done.\n" + (f"\n{other_code}\n" if other_code else "")
    rules = Counter(job.rule for job in jobs)
    counts = pd.DataFrame([{"rule": rule, "jobs": number} for rule, number in rules.most_common()])
    parts = [
        *("# Plan", f"{len(jobs)} jobs.", _table(counts)),
        *("## Time", _time([job for job in jobs if not job.is_of_tuning], measured)),
        *_tuning([job for job in jobs if job.is_of_tuning], measured),
        *("## Memory", _memory(jobs, memory_mb)),
        *("## Disk", disk),
        *("## Weights", "\n".join(f"- {line}" for line in weights) or "All hub models are on this machine."),
        *("## Why jobs run", _reasons(jobs)),
        *(("## Code", other_code) if other_code else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _time(jobs: Sequence[PlannedJob], measured: Mapping[Key, Sequence[float]]) -> str:
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for job in jobs:
        method = job.wildcards.get("method") or ("sft" if job.rule.startswith("sft") else SHARED)
        row = rows.setdefault((job.wildcards.get("model", "(no model)"), method), Counter())
        seconds, known = estimated_s(job, measured)
        row["jobs"] += 1
        row["hours"] += seconds / 3600
        row["gpu_hours"] += job.gpus * seconds / 3600
        row["known"] += known
    rows = dict(sorted(rows.items())) | {("total", ""): sum(rows.values(), Counter())}
    lines = [
        {
            "model": model,
            "method": method,
            "jobs": str(row["jobs"]),
            "job hours": f"{row['hours']:.2f}",
            "GPU-hours": f"{row['gpu_hours']:.2f}",
            "measured": f"{row['known']} of {row['jobs']}",
        }
        for (model, method), row in rows.items()
    ]
    return (
        "A job's time is the mean of finished jobs of the same rule, data set, model and method; without these, of all"
        " methods, then of all data sets of the model. A job that is not measured counts with its time limit, which is"
        f" the most that it may take.\n\n{_table(pd.DataFrame(lines))}"
    )


def _tuning(jobs: Sequence[PlannedJob], measured: Mapping[Key, Sequence[float]]) -> list[str]:
    """The time of trials, which Time leaves out; nothing without trials."""
    if not jobs:
        return []
    trials = len({(job.wildcards["dataset"], job.wildcards["method"]) for job in jobs if job.rule in TRAINING})
    seconds = [estimated_s(job, measured) for job in jobs]
    hours = sum(each for each, _ in seconds) / 3600
    gpu_hours = sum(job.gpus * each for job, (each, _) in zip(jobs, seconds, strict=True)) / 3600
    known = sum(known for _, known in seconds)
    return [
        "## Tuning",
        f"Trials come on top of this time: {trials}, in {len(jobs)} jobs of {hours:.2f} hours and {gpu_hours:.2f}"
        f" GPU-hours ({known} of {len(jobs)} measured).",
    ]


def _memory(jobs: Sequence[PlannedJob], measured_mb: Mapping[str, int]) -> str:
    asked: dict[str, int] = {}
    for job in sorted(jobs, key=lambda job: job.wildcards.get("model", "")):
        model = job.wildcards.get("model", "(no model)")
        asked[model] = max(asked.get(model, 0), job.mem_mb)
    lines = [
        {"model": model, "asked for, MB": str(mb), "measured in one process, MB": str(measured_mb.get(model, "–"))}
        for model, mb in asked.items()
    ]
    return f"The largest job of each model:\n\n{_table(pd.DataFrame(lines))}"


def measured_memory(results: Path) -> dict[str, int]:
    """Return the largest memory of one process in MB that finished runs of each model recorded."""
    largest: dict[str, int] = {}
    for path in results.glob("*/*/*/seed*/provenance.json"):
        peak = json.loads(path.read_text()).get("peak_memory_mb", 0)
        largest[path.parts[-4]] = max(largest.get(path.parts[-4], 0), peak)
    return largest


def describe_disk(jobs: Sequence[PlannedJob], results: Path, weights: Mapping[str, int | None], keep: str) -> str:
    """Return a paragraph about disk now, at the end, and at most.

    Args:
        jobs: The planned jobs.
        results: The results folder.
        weights: The number of weights of each model; None if it is unknown.
        keep: `keep_models` of the study.
    """
    now = sum(path.stat().st_size for path in results.rglob("*") if path.is_file() and not path.is_symlink())
    final, checkpoint, unknown = now, 0, set()
    for job in jobs:
        model = job.wildcards.get("model")
        if job.rule not in TRAINING:
            continue
        if weights[model] is None:
            unknown.add(model)
            continue
        if job.lora is None:
            checkpoint = max(checkpoint, CHECKPOINTS * BYTES_IN_A_CHECKPOINT * weights[model])
        if job.rule == "sft" or (keep == "all" and (job.lora is None or job.lora["merge"])):
            final += BYTES_A_WEIGHT * weights[model]
    text = (
        f"Now {_size(now)}; at the end about {_size(final)} (`keep_models: {keep}`; whole models in float32, without"
        " adapters, logs and answers). Until its answers are there, each run in progress has its model too."
    )
    text += f" A training of all weights has checkpoints of up to {_size(checkpoint)}." if checkpoint else ""
    return text + (f" The size of {', '.join(sorted(unknown))} is not known yet." if unknown else "")


def weights_of(name: str) -> int | None:
    """Return the number of weights that a model's name states, as 1.5B or 135M; None if it states none."""
    stated = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)([BbMm])(?![A-Za-z])", name)
    return None if stated is None else int(float(stated[1]) * {"b": 1e9, "m": 1e6}[stated[2].lower()])


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def _reasons(jobs: Iterable[PlannedJob]) -> str:
    """Why jobs run, with the rules and methods; jobs that only follow others are counted together."""
    groups: dict[str, Counter[str]] = {}
    for job in jobs:
        reason = re.split(r":|\. ", job.reason, maxsplit=1)[0]
        what = " ".join(filter(None, [job.rule, job.wildcards.get("method")]))
        groups.setdefault(reason, Counter())[what] += 1
    lines = [
        {"reason": reason, "jobs": str(sum(rules.values())), "which": _shown(rules)}
        for reason, rules in sorted(groups.items(), key=lambda item: -sum(item[1].values()))
    ]
    return _table(pd.DataFrame(lines))


def _shown(rules: Counter[str]) -> str:
    most = [f"{name} ({number})" for name, number in rules.most_common(6)]
    return ", ".join(most) + (f" and {len(rules) - len(most)} more" if len(rules) > len(most) else "")


def _table(frame: pd.DataFrame) -> str:
    right = {"jobs", "job hours", "GPU-hours", "measured"}
    alignment = ["right" if column in right or "MB" in column else "left" for column in frame.columns]
    return frame.to_markdown(index=False, disable_numparse=True, colalign=alignment)
