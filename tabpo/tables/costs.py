"""Report what each method costs: steps, pairs, tokens and floating-point operations, and GPU seconds where measured.

Times of runs are not compared: runs of a study take place at different times and under different load of the machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from tabpo.tables.meanings import in_text
from tabpo.tables.typeset import latex_table, markdown_table

COUNTED = ("steps", "examples", "chosen_tokens", "tokens", "flops", "gpu_seconds")
"""Numbers in `provenance.json` that are added up over the runs that a method needs."""


@dataclass(frozen=True)
class TrainedRun:
    """One training run and its `provenance.json`."""

    dataset: str
    model: str
    method: str
    seed: int
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """The cost of one method on one data set with one model, as means over seeds.

    Each number includes the runs whose log-probs the method reads. A number is None if a run lacks it.

    Attributes:
        seeds: The number of runs.
        steps: Steps of the optimiser.
        examples: Pairs in these steps; a pair counts once for each time that it is seen.
        chosen_tokens: Tokens of the chosen answers of these pairs, end-of-turn tokens included.
        tokens: Tokens that the model read in these steps.
        flops: Floating-point operations of these steps, the passes of a reference model in them included.
        gpu_seconds: Wall time of whole runs times the number of GPUs; None without GPUs.
        peak_memory_mb: The peak memory of the first process, or of its GPU; the maximum over seeds.
    """

    dataset: str
    model: str
    method: str
    seeds: int
    steps: float | None
    examples: float | None
    chosen_tokens: float | None
    tokens: float | None
    flops: float | None
    gpu_seconds: float | None
    peak_memory_mb: int


def build_costs(runs: Sequence[TrainedRun], needed: Mapping[str, Sequence[str]]) -> list[Cost]:
    """A row for each data set, model and method, in the order of `runs`.

    Args:
        runs: All trained runs.
        needed: For methods that read log-probs of other runs' models, the methods that train these.
    """
    rows: dict[tuple[str, str, str], list[TrainedRun]] = {}
    for run in runs:
        rows.setdefault((run.dataset, run.model, run.method), []).append(run)
    costs = []
    for (dataset, model, method), of_row in rows.items():
        parts = [of_row, *(rows[dataset, model, other] for other in needed.get(method, ()))]
        counted = {name: _sum([_mean(name, part) for part in parts]) for name in COUNTED}
        counted["gpu_seconds"] = counted["gpu_seconds"] or None
        peaks = [run.provenance["peak_gpu_memory_mb"] or run.provenance["peak_memory_mb"] for run in of_row]
        costs.append(Cost(dataset, model, method, len(of_row), **counted, peak_memory_mb=max(peaks)))
    return costs


def _mean(name: str, runs: Sequence[TrainedRun]) -> float | None:
    values = [run.provenance.get(name) for run in runs]
    return None if None in values else fmean(values)


def _sum(values: Sequence[float | None]) -> float | None:
    return None if None in values else sum(values)


def costs_csv(costs: Sequence[Cost]) -> str:
    """One line for each row, with every field of `Cost`."""
    frame = pd.DataFrame([asdict(cost) for cost in costs])
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def costs_markdown(costs: Sequence[Cost], caption: str, notes: Sequence[str]) -> str:
    """The costs as a Markdown table with notes, for people."""
    return markdown_table(_frame(costs, "–"), caption, notes)


def costs_latex(costs: Sequence[Cost], caption: str, notes: Sequence[str], names: Mapping[str, str]) -> str:
    """The costs as a LaTeX table with notes, for a paper; `names` are the study's printed names."""
    return latex_table(_frame(costs, "--"), caption, notes, label="tab:cost", names=names)


def describe_costs(costs: Sequence[Cost], runs: Sequence[TrainedRun], needed: Mapping[str, Sequence[str]]) -> list[str]:
    """The notes below the table: how the costs were counted, and what is missing."""
    devices = sorted({run.provenance["device"] for run in runs})
    missing = any(None in (cost.steps, cost.chosen_tokens, cost.flops) for cost in costs)
    return [
        "Means over seeds, SFT not included. Pairs count each time that they are seen. FLOPs: by calculation, those of"
        " one micro-batch times the tokens of all, without evaluations, sampling and the reference's shared"
        " log-probs; two digits.",
        "Times are not compared, since runs take place under different load of the machine.",
        *(
            f"{in_text(method)} includes the training of {' and '.join(map(in_text, others))}."
            for method, others in needed.items()
        ),
        "Memory: the peak of the first process, on GPUs that of its GPU.",
        f"Trained on {' and on '.join(devices)}.",
        *(["– not counted: an earlier run, or one with DeepSpeed or FlexAttention."] if missing else []),
    ]


def _frame(costs: Sequence[Cost], dash: str) -> pd.DataFrame:
    on_gpus = any(cost.gpu_seconds for cost in costs)
    return pd.DataFrame([_texts(cost, dash, on_gpus) for cost in costs])


def _texts(cost: Cost, dash: str, on_gpus: bool) -> dict[str, str]:
    def shown(value: float | None, form: str) -> str:
        return dash if value is None else format(value, form).replace("e+", "e")

    texts = {
        "dataset": cost.dataset,
        "model": cost.model,
        "method": cost.method,
        "steps": shown(cost.steps, ".0f"),
        "pairs": shown(cost.examples, ".0f"),
        "chosen tokens": shown(cost.chosen_tokens, ".0f"),
        "tokens": shown(cost.tokens, ".0f"),
        "FLOPs": shown(cost.flops, ".1e"),
    }
    return texts | ({"GPU s": shown(cost.gpu_seconds, ".0e")} if on_gpus else {}) | {"MB": str(cost.peak_memory_mb)}
