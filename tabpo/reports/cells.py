"""From the scores of many runs to the cells of one table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tabpo.code_version import module_names
from tabpo.errors import ConfigError, DataError
from tabpo.metrics.names import METRICS
from tabpo.metrics.scores import HEADLINE
from tabpo.names import HUMAN, PREFERENCES, PROMPTED, WITHOUT_MODEL
from tabpo.reports.estimates import RunEstimates
from tabpo.reports.significance import Estimates, stack

MEAN = "mean of"
"""What the name of a mean over data sets or models begins with; names of a study have no blanks."""


@dataclass(frozen=True)
class Run:
    """One row's run of one seed; a prompted model has no seed, a baseline no model either.

    Attributes:
        scores: Its `scores.json`.
        estimates: Its scores without each cluster of documents.
        collapsed: Whether its answers to held-out prompts did while it was trained.
    """

    dataset: str
    model: str | None
    method: str
    seed: int | None
    scores: Mapping[str, Any]
    estimates: RunEstimates
    collapsed: bool = False


@dataclass(frozen=True)
class Block:
    """Where rows are compared: one model on one data set, or the mean of several.

    Attributes:
        dataset: As it is printed.
        model: As it is printed.
        members: Of each data set the models, as (dataset, model).
    """

    dataset: str
    model: str
    members: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def pooled(self) -> bool:
        """Whether it is a mean of several."""
        return sum(map(len, self.members)) > 1

    @property
    def name(self) -> str:
        """For notes."""
        return f"{self.dataset} / {self.model}"


@dataclass(frozen=True)
class Cell:
    """One number of a table: percent (a margin in nats), mean over seeds.

    Attributes:
        block: Whose rows it is compared with.
        mean: None where the cell has no value; `reason` says why.
        sd: Sample standard deviation over seeds; None for fewer than two.
        seeds: How many seeds the mean is of; 0 for the one run of a row that has no seeds.
        collapsed: How many of these seeds' runs collapsed while they were trained; the mean is of all.
        mark: "better" or "worse" than the row that differences are taken to, or "".
        best: Whether it is the best of its column in its block, or cannot be told from it.
        reason: Why `mean` is None.
    """

    block: Block
    method: str
    metric: str
    mean: float | None
    sd: float | None = None
    seeds: int = 0
    collapsed: int = 0
    mark: str = ""
    best: bool = False
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Samples:
    """The runs of a table, by what they are of.

    Attributes:
        runs: By (dataset, model, method), with None for the model of a baseline; in the order of their seeds.
        seeds: By (dataset, model), all that any of its rows has.
    """

    runs: dict[tuple[str, str | None, str], tuple[Run, ...]]
    seeds: dict[tuple[str, str], tuple[int, ...]] = field(repr=False)

    def of(self, dataset: str, model: str, method: str) -> tuple[Run, ...]:
        """The runs of one row, one seed after the other; () where there are none."""
        return self.runs.get((dataset, None if method in WITHOUT_MODEL else model, method), ())

    def reason(self, dataset: str, model: str, method: str, metric: str) -> str:
        """Why a row has no value in a metric; "" where it has one."""
        runs = self.of(dataset, model, method)
        if not runs:
            return "no second annotator" if method == HUMAN else "not run for this model"
        if any(metric_value(run.scores, metric) is None for run in runs):
            return "not defined for this dataset"
        if runs[0].seed is None:
            return ""
        missing = sorted(set(self.seeds[dataset, model]) - {run.seed for run in runs})
        return f"no score for seed {', '.join(map(str, missing))}" if missing else ""

    def values(self, dataset: str, model: str, method: str, metric: str) -> list[float]:
        """As score files have them."""
        return [metric_value(run.scores, metric) for run in self.of(dataset, model, method)]

    def estimates(self, dataset: str, model: str, method: str, metric: str) -> Estimates:
        """The same with each cluster left out."""
        return stack([run.estimates.metrics[metric] for run in self.of(dataset, model, method)])


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


def arrange(runs: Iterable[Run]) -> Samples:
    """The runs of a table by what they are of.

    Raises:
        DataError: Two runs of the same row and seed; runs of a data set that were scored on other documents, which
            only those of a second annotator may be.
    """
    by_row: dict[tuple[str, str | None, str], dict[int | None, Run]] = {}
    seeds: dict[tuple[str, str], set[int]] = {}
    clusters: dict[str, str] = {}
    for run in runs:
        row = by_row.setdefault((run.dataset, run.model, run.method), {})
        if run.seed in row:
            raise DataError(f"the run of {run.method} on {run.dataset} / {run.model}, seed {run.seed}, is given twice")
        row[run.seed] = run
        if run.model is not None:
            seeds.setdefault((run.dataset, run.model), set()).update({run.seed} - {None})
        if run.method != HUMAN and clusters.setdefault(run.dataset, run.estimates.clusters) != run.estimates.clusters:
            raise DataError(
                f"{run.method} on {run.dataset} / {run.model}, seed {run.seed}, was scored on other documents than the"
                " runs before it; differences need the same documents on both sides"
            )
    ordered = {
        key: tuple(row[seed] for seed in sorted(row, key=lambda seed: (seed is None, seed)))
        for key, row in by_row.items()
    }
    return Samples(ordered, {key: tuple(sorted(found)) for key, found in seeds.items()})


def single_blocks(samples: Samples) -> list[Block]:
    """One for each data set and model, in the order of the runs."""
    return [Block(dataset, model, (((dataset, model),),)) for dataset, model in samples.seeds]


def pooled_block(samples: Samples, rows: Sequence[str], metric: str) -> Block | None:
    """The mean over data sets of the mean over models that have all rows with seeds in this metric.

    A data set that lacks the metric is left out, and a model that lacks a row, or on one of the data sets the seeds of
    the others; None where fewer than two blocks remain.
    """
    trained = [row for row in rows if row not in (*WITHOUT_MODEL, PROMPTED) and _runs_anywhere(samples, row)]
    blocks = [key for key in samples.seeds if samples.seeds[key]]
    defined = list(dict.fromkeys(d for d, m in blocks if any(_defined(samples, d, m, row, metric) for row in trained)))
    models = list(dict.fromkeys(model for _, model in blocks))
    seeds = {key: samples.seeds[key] for key in blocks}
    most = max(seeds.values(), key=len, default=())
    kept = [
        model
        for model in models
        if all(
            seeds.get((dataset, model)) == most
            and all(not samples.reason(dataset, model, row, metric) for row in trained)
            for dataset in defined
        )
    ]
    if len(kept) * len(defined) < 2:
        return None
    members = tuple(tuple((dataset, model) for model in kept) for dataset in defined)
    dataset = defined[0] if len(defined) == 1 else f"{MEAN} {len(defined)} data sets"
    return Block(dataset, kept[0] if len(kept) == 1 else f"{MEAN} {len(kept)} models", members)


def _runs_anywhere(samples: Samples, row: str) -> bool:
    return any(method == row for _, _, method in samples.runs)


def _defined(samples: Samples, dataset: str, model: str, row: str, metric: str) -> bool:
    return bool(samples.of(dataset, model, row)) and None not in samples.values(dataset, model, row, metric)


def rows_of(samples: Samples, block: Block, rows: Sequence[str]) -> list[str]:
    """The rows of a block: a prompted model has baselines beside it and no trained rows, others have no such row."""
    if block.pooled:
        return [row for row in rows if row not in (PROMPTED, HUMAN)]
    prompted = bool(samples.of(block.dataset, block.model, PROMPTED))
    return [row for row in rows if row in WITHOUT_MODEL or (row == PROMPTED) == prompted]


def build_cells(samples: Samples, blocks: Mapping[str, Sequence[Block]], rows: Sequence[str]) -> list[Cell]:
    """The cells of a table, ordered by block, metric and row.

    A mean needs every seed that any row of the same dataset and model has; otherwise the cell is empty and
    says which seeds are missing. Baselines have no seeds and stand under every model of their dataset. A prompted
    model has no seeds either, and no row but its own beside them; other models do not have that one.

    Args:
        samples: All runs of the table.
        blocks: By metric.
        rows: Methods and baselines, in order.
    """
    by_block: dict[Block, list[Cell]] = {}
    for metric, found in blocks.items():
        for block in found:
            cells = by_block.setdefault(block, [])
            cells += [_cell(samples, block, row, metric) for row in rows_of(samples, block, rows)]
    return [cell for cells in by_block.values() for cell in cells]


def _cell(samples: Samples, block: Block, row: str, metric: str) -> Cell:
    empty = Cell(block, row, metric, mean=None)
    members = [(dataset, model) for models in block.members for dataset, model in models]
    for dataset, model in members:
        if reason := samples.reason(dataset, model, row, metric):
            return replace(empty, reason=reason)
    of_datasets = [
        np.mean([samples.values(dataset, model, row, metric) for dataset, model in models], axis=0)
        for models in block.members
    ]
    values = pd.Series(np.mean(of_datasets, axis=0))  # by seed
    seeded = samples.of(*members[0], row)[0].seed is not None
    return replace(
        empty,
        mean=float(values.mean()),
        sd=float(values.std()) if len(values) > 1 else None,
        seeds=len(values) if seeded else 0,
        collapsed=sum(run.collapsed for dataset, model in members for run in samples.of(dataset, model, row)),
    )


RENAMED = "modules that have other names since"
"""What stands for them among the modules that differ."""


def code_differences(provenance: Sequence[Mapping[str, Any]], *, strict: bool) -> list[str]:
    """Modules of `tabpo` whose code was not the same in all runs of a table, sorted.

    Fingerprints go by the names of modules, so runs from before a module was moved cannot be compared with later ones
    module by module: where some runs name modules that this version lacks and others do not, `RENAMED` is in the list.

    Raises:
        ConfigError: There are such modules and the study asks for `strict_code`.
    """
    versions: dict[str, set[str]] = {}
    for run in provenance:
        for module, fingerprint in run["code"].items():
            versions.setdefault(module, set()).add(fingerprint)
    differing = sorted(module for module, fingerprints in versions.items() if len(fingerprints) > 1)
    if len({run["code"].keys() <= module_names() for run in provenance}) > 1:
        differing.append(RENAMED)
    if differing and strict:
        raise ConfigError(f"strict_code: runs of this table were made with different code in {', '.join(differing)}")
    return differing
