"""Report what each method costs: time per step relative to `dpo`, tokens per second, memory and device time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any

import pandas as pd

from tabpo.records import StepTiming
from tabpo.tables.typeset import latex_table, markdown_table

BASELINE = "dpo"

WARM_UP = 2
"""The first steps, which are not counted: they allocate memory and choose or compile kernels that later steps reuse."""

CAPTION = f"Cost of training, against {BASELINE}."


@dataclass(frozen=True)
class TrainedRun:
    """One training run: the wall time of its steps, and its `provenance.json`."""

    dataset: str
    model: str
    method: str
    seed: int
    timings: Sequence[StepTiming]
    provenance: Mapping[str, Any]

    @property
    def kept(self) -> Sequence[StepTiming]:
        """The steps that are counted."""
        return self.timings[WARM_UP:]

    @property
    def step_s(self) -> float:
        """Median seconds of a step."""
        return median(timing.seconds for timing in self.kept)

    @property
    def tokens_per_s(self) -> float:
        """Tokens that the model processed in all counted steps, divided by the seconds of these steps."""
        return sum(timing.tokens for timing in self.kept) / sum(timing.seconds for timing in self.kept)


@dataclass(frozen=True)
class Cost:
    """The cost of one method on one data set with one model.

    Attributes:
        seeds: The number of runs.
        step_s: The median seconds of a step, as the mean over seeds; None if it is missing. `step_s_low` and
            `step_s_high` are the lowest and the highest of the seeds.
        ratio: `step_s` divided by that of `dpo` with the same seed, as the mean over seeds; None if it is missing.
            `ratio_low` and `ratio_high` are the lowest and the highest of the seeds.
        tokens_per_s: The mean over seeds.
        peak_memory_mb: The peak memory of the first process; the maximum over seeds.
        peak_gpu_memory_mb: The peak memory of the first process's GPU; the maximum over seeds, None on CPUs.
        wall_s: The wall time of a whole run and of the runs whose log-probs it reads, as the mean over seeds.
        gpu_seconds: `wall_s` times the number of GPUs, as the mean over seeds.
        reason: Why numbers are missing.
    """

    dataset: str
    model: str
    method: str
    seeds: int
    step_s: float | None = None
    step_s_low: float | None = None
    step_s_high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    tokens_per_s: float | None = None
    peak_memory_mb: int = 0
    peak_gpu_memory_mb: int | None = None
    wall_s: float = 0.0
    gpu_seconds: float = 0.0
    reason: str = ""


def build_costs(runs: Sequence[TrainedRun], needed: Mapping[str, Sequence[str]]) -> list[Cost]:
    """A row for each data set, model and method, in the order of `runs`.

    Args:
        runs: All trained runs.
        needed: For methods that read log-probs of other runs' models, the methods that train these. Their time is part
            of the time of a whole run.
    """
    rows: dict[tuple[str, str, str], dict[int, TrainedRun]] = {}
    for run in runs:
        rows.setdefault((run.dataset, run.model, run.method), {})[run.seed] = run
    costs = []
    for (dataset, model, method), by_seed in rows.items():
        others = [rows[dataset, model, other] for other in needed.get(method, ())]
        cost = _cost(by_seed, rows.get((dataset, model, BASELINE), {}))
        more = {name: sum(_mean(name, other) for other in others) for name in ("wall_s", "gpu_seconds")}
        costs.append(replace(cost, **{name: getattr(cost, name) + extra for name, extra in more.items()}))
    return costs


def _mean(name: str, runs: Mapping[int, TrainedRun]) -> float:
    return fmean(run.provenance[name] for run in runs.values())


def _cost(runs: Mapping[int, TrainedRun], baseline: Mapping[int, TrainedRun]) -> Cost:
    first, provenance = next(iter(runs.values())), [run.provenance for run in runs.values()]
    gpu_memory = [of_run["peak_gpu_memory_mb"] for of_run in provenance if of_run["peak_gpu_memory_mb"] is not None]
    cost = Cost(
        first.dataset,
        first.model,
        first.method,
        seeds=len(runs),
        peak_memory_mb=max(of_run["peak_memory_mb"] for of_run in provenance),
        peak_gpu_memory_mb=max(gpu_memory, default=None),
        wall_s=fmean(of_run["wall_s"] for of_run in provenance),
        gpu_seconds=fmean(of_run["gpu_seconds"] for of_run in provenance),
    )
    if not all(run.kept for run in runs.values()):
        return replace(cost, reason=f"no step after the first {WARM_UP}")
    seconds = {seed: run.step_s for seed, run in runs.items()}
    cost = replace(cost, **_spread("step_s", seconds.values()))
    cost = replace(cost, tokens_per_s=fmean(run.tokens_per_s for run in runs.values()))
    if not baseline:
        return replace(cost, reason=f"{BASELINE} was not run")
    if not all(run.kept for run in baseline.values()):
        return replace(cost, reason=f"{BASELINE} has no step after the first {WARM_UP}")
    return replace(cost, **_spread("ratio", [seconds[seed] / baseline[seed].step_s for seed in seconds]))


def _spread(name: str, values: Collection[float]) -> dict[str, float]:
    return {name: fmean(values), f"{name}_low": min(values), f"{name}_high": max(values)}


def costs_csv(costs: Sequence[Cost]) -> str:
    """One line for each row, with every field of `Cost`."""
    frame = pd.DataFrame([asdict(cost) for cost in costs])
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def costs_markdown(costs: Sequence[Cost], notes: Sequence[str]) -> str:
    """The costs as a Markdown table with notes, for people."""
    return markdown_table(_frame(costs, "–"), CAPTION, notes)


def costs_latex(costs: Sequence[Cost], notes: Sequence[str]) -> str:
    """The costs as a LaTeX table with notes, for a paper."""
    return latex_table(_frame(costs, "--"), CAPTION, notes, label="tab:cost", names={})


def describe_costs(costs: Sequence[Cost], runs: Sequence[TrainedRun], needed: Mapping[str, Sequence[str]]) -> list[str]:
    """The notes below the table: how the costs were measured, and why numbers are missing."""
    devices = sorted({run.provenance["device"] for run in runs})
    several = any(cost.seeds > 1 for cost in costs)
    return [
        f"s/step: median over the steps of a run except the first {WARM_UP}, which allocate memory and choose kernels."
        " Work done once per epoch, such as the sampling of anchors, counts in s/run only."
        + (" Mean over seeds, with the smallest and the largest in brackets." if several else ""),
        f"x {BASELINE}: s/step divided by that of {BASELINE} with the same seed. Runs of a study take place at"
        " different times and under different load of the machine; benchmarks/method_step.py alternates the methods in"
        " one process.",
        *(f"s/run of {method} includes the training of {' and '.join(others)}." for method, others in needed.items()),
        "Memory: the peak of the first process.",
        f"Trained on {' and on '.join(devices)}.",
        *(f"{missing}." for missing in sorted({f"– {cost.reason}" for cost in costs if cost.reason})),
    ]


def _frame(costs: Sequence[Cost], dash: str) -> pd.DataFrame:
    on_gpus = any(cost.gpu_seconds for cost in costs)
    return pd.DataFrame([_texts(cost, dash, on_gpus) for cost in costs])


def _texts(cost: Cost, dash: str, on_gpus: bool) -> dict[str, str]:
    texts = {
        "dataset": cost.dataset,
        "model": cost.model,
        "method": cost.method,
        "s/step": _range(cost.step_s, cost.step_s_low, cost.step_s_high, "{:.3g}", cost.seeds, dash),
        f"x {BASELINE}": _range(cost.ratio, cost.ratio_low, cost.ratio_high, "{:.2f}", cost.seeds, dash),
        "tokens/s": dash if cost.tokens_per_s is None else f"{cost.tokens_per_s:.0f}",
        "memory, MB": str(cost.peak_memory_mb),
        "s/run": f"{cost.wall_s:.0f}",
    }
    if on_gpus:
        gpu_memory = dash if cost.peak_gpu_memory_mb is None else str(cost.peak_gpu_memory_mb)
        texts |= {"GPU memory, MB": gpu_memory, "GPU s/run": f"{cost.gpu_seconds:.0f}"}
    return texts


def _range(mean: float | None, low: float, high: float, form: str, seeds: int, dash: str) -> str:
    """The mean, with the range if there are several seeds; a missing mean is the dash, which also joins the range."""
    if mean is None:
        return dash
    return form.format(mean) if seeds == 1 else f"{form.format(mean)} ({form.format(low)}{dash}{form.format(high)})"
