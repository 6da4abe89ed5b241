"""From the scores of many runs to the cells of one table."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from scipy import stats

from tabpo.errors import ConfigError, DataError
from tabpo.metrics.names import METRICS
from tabpo.names import HUMAN, PREFERENCES, PROMPTED, WITHOUT_MODEL

HEADLINE = "set_directed"
"""Convention of a metric that names none; `rel@set_canonical` names one."""


@dataclass(frozen=True)
class Run:
    """One row's run of one seed and its `scores.json`; a prompted model has no seed, a baseline no model either.

    `collapsed` says whether its answers to held-out prompts did while it was trained.
    """

    dataset: str
    model: str | None
    method: str
    seed: int | None
    scores: Mapping[str, Any]
    collapsed: bool = False


@dataclass(frozen=True)
class Cell:
    """One number of a table: percent, mean over seeds.

    Attributes:
        mean: None where the cell has no value; `reason` says why.
        sd: Sample standard deviation over seeds; None for fewer than two.
        seeds: How many seeds the mean is of; 0 for the one run of a row that has no seeds.
        difference: Mean over seeds of this row minus the baseline row of the same seed, or its one run.
        low: Lower end of the 95 % Student interval of `difference`; None for fewer than two seeds.
        high: Upper end.
        collapsed: How many of these seeds' runs collapsed while they were trained; the mean is of all.
        rank: 1 for the best row of its column, 2 for the second, else 0.
        reason: Why `mean`, or `difference` of a row that should have one, is None.
    """

    dataset: str
    model: str
    method: str
    metric: str
    mean: float | None
    sd: float | None = None
    seeds: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    collapsed: int = 0
    rank: int = 0
    reason: str = ""

    @property
    def significant(self) -> bool:
        """Whether the interval of the paired difference excludes zero."""
        return self.low is not None and (self.low > 0 or self.high < 0)


def metric_value(scores: Mapping[str, Any], metric: str) -> float | None:
    """Percent: F1 of `name` or `name@convention`, or a share; nats of a margin; None where a dataset lacks it."""
    if metric == "valid":
        return 100 * scores["valid"]
    if metric in METRICS[PREFERENCES]:
        return scores[metric] * (1 if metric.endswith("_margin") else 100)
    name, _, convention = metric.partition("@")
    conventions = scores["metrics"].get(name)
    if conventions is None:
        return None
    if (convention or HEADLINE) not in conventions:
        raise DataError(f"metric {metric}: no such convention; {name} has: {', '.join(sorted(conventions))}")
    return 100 * conventions[convention or HEADLINE]["f1"]


def build_cells(runs: Sequence[Run], *, rows: Sequence[str], metrics: Sequence[str], baseline: str) -> list[Cell]:
    """The cells of a table, ordered by dataset, model, metric and row.

    A mean needs every seed that any row of the same dataset and model has; otherwise the cell is empty and
    says which seeds are missing. Baselines have no seeds and stand under every model of their dataset. A prompted
    model has no seeds either, and no row but its own beside them; other models do not have that one.

    Args:
        runs: All of the table.
        rows: Methods and baselines, in order.
        metrics: As the config names them.
        baseline: The row that differences are taken to.

    Raises:
        DataError: Two runs of the same row and seed.
    """
    scores = {(run.dataset, run.model, run.method, run.seed): run.scores for run in runs}
    if len(scores) < len(runs):
        raise DataError(f"{len(runs) - len(scores)} runs of a table are given twice")
    columns = list(dict.fromkeys((run.dataset, run.model) for run in runs if run.model is not None))
    cells = []
    for dataset, model in columns:
        own = [run for run in runs if (run.dataset, run.model) == (dataset, model)]
        prompted = PROMPTED in {run.method for run in own}
        shown = [row for row in rows if row in WITHOUT_MODEL or (row == PROMPTED) == prompted]
        seeds = sorted({run.seed for run in own if run.seed is not None})
        for metric in metrics:
            values = {
                row: _values(scores, dataset, None if row in WITHOUT_MODEL else model, row, metric) for row in shown
            }
            column = [
                _cell(dataset, model, row, metric, values[row], seeds, values.get(baseline, {}), row == baseline)
                for row in shown
            ]
            collapsed = Counter(run.method for run in own if run.collapsed)
            column = [replace(cell, collapsed=collapsed[cell.method]) for cell in column]
            cells += _ranked(column)
    return cells


def _values(scores: Mapping, dataset: str, model: str | None, row: str, metric: str) -> dict[int | None, float | None]:
    return {
        seed: metric_value(one, metric)
        for (a_dataset, a_model, method, seed), one in scores.items()
        if (a_dataset, a_model, method) == (dataset, model, row)
    }


def _cell(
    dataset: str,
    model: str,
    row: str,
    metric: str,
    values: Mapping[int | None, float | None],
    seeds: Sequence[int],
    baseline: Mapping[int | None, float],
    is_baseline: bool,
) -> Cell:
    empty = Cell(dataset, model, row, metric, mean=None)
    if not values:
        return replace(empty, reason="no second annotator" if row == HUMAN else "not run for this model")
    if None in values.values():
        return replace(empty, reason="not defined for this dataset")
    if None in values:  # a baseline or a prompted model: one run
        return replace(empty, mean=values[None])
    missing = sorted(set(seeds) - set(values))
    if missing:
        return replace(empty, reason=f"no score for seed {', '.join(map(str, missing))}")
    series = pd.Series([values[seed] for seed in seeds])
    cell = replace(empty, mean=series.mean(), sd=series.std() if len(seeds) > 1 else None, seeds=len(seeds))
    base = dict.fromkeys(seeds, baseline[None]) if None in baseline else baseline  # one run stands beside every seed
    if is_baseline:
        return cell
    if set(seeds) - set(base):
        return replace(cell, reason="no differences, as the baseline was not run with these seeds")
    differences = pd.Series([values[seed] - base[seed] for seed in seeds])
    low, high = _interval(differences)
    return replace(cell, difference=differences.mean(), low=low, high=high)


def _interval(differences: pd.Series) -> tuple[float | None, float | None]:
    if len(differences) < 2:
        return None, None
    half = stats.t.ppf(0.975, len(differences) - 1) * differences.std() / math.sqrt(len(differences))
    return differences.mean() - half, differences.mean() + half


def _ranked(column: Sequence[Cell]) -> list[Cell]:
    """Mark best and second, as printed; rows without seeds are no methods, and not in the running."""
    contenders = {cell.method: round(cell.mean, 1) for cell in column if cell.mean is not None and cell.seeds}
    order = sorted(set(contenders.values()), reverse=True)[:2]
    ranks = {method: order.index(mean) + 1 for method, mean in contenders.items() if mean in order}
    return [replace(cell, rank=ranks.get(cell.method, 0)) for cell in column]


def code_differences(provenance: Sequence[Mapping[str, Any]], *, strict: bool) -> list[str]:
    """Modules of `tabpo` whose code was not the same in all runs of a table, sorted.

    Raises:
        ConfigError: There are such modules and the study asks for `strict_code`.
    """
    versions: dict[str, set[str]] = {}
    for one in provenance:
        for module, fingerprint in one["code"].items():
            versions.setdefault(module, set()).add(fingerprint)
    differing = sorted(module for module, fingerprints in versions.items() if len(fingerprints) > 1)
    if differing and strict:
        raise ConfigError(f"strict_code: runs of this table were made with different code in {', '.join(differing)}")
    return differing
