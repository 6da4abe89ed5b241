"""Make the cells of one table from the scores of many runs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tabpo.code_version import module_names
from tabpo.errors import ConfigError, DataError
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.names import HEADLINE, METRICS, TOGETHER, VALIDITY, LabelMetric, label_metric
from tabpo.names import HUMAN, PREFERENCES, PROMPTED, WITHOUT_MODEL, run_folder
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.meanings import MECHANISM, STABILITY, in_text
from tabpo.tables.significance import Estimates, stack

MEAN = "mean of"
"""How the name of a mean over data sets or models begins. It has a blank, which the names in a study cannot have."""

NOT_DEFINED = "not defined for this dataset"
NO_GOLD = "no gold items in test"
"""Why a data set has no value in a metric, whatever the row."""

NOT_AVAILABLE = "n/a"
"""How the reason of a cell begins whose runs have failed; the cell prints such a reason."""


@dataclass(frozen=True)
class Run:
    """The scores of one run: a method or baseline, on one data set, with one model and one seed.

    A prompted model has no seed. A baseline has neither a seed nor a model.

    Attributes:
        scores: The content of the run's score file.
        estimates: The same scores on all documents and without each cluster of documents.
        collapsed: Whether the answers to held-out prompts collapsed during training.
        asked: Of a prompted run, in which variant of the prompts, and how it was chosen (`provenance.json`).
    """

    dataset: str
    model: str | None
    method: str
    seed: int | None
    scores: Mapping[str, Any]
    estimates: RunEstimates
    collapsed: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """A part of a table whose rows are compared: one model on one data set, or a mean over several of them.

    Attributes:
        dataset: The data set, or a text such as "mean of 2 data sets".
        model: The model, or a text such as "mean of 3 models".
        members: For each data set of the block its models, as pairs (dataset, model).
    """

    dataset: str
    model: str
    members: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def pooled(self) -> bool:
        """Whether the block is a mean over several models or data sets."""
        return sum(map(len, self.members)) > 1

    @property
    def name(self) -> str:
        """The name of the block: data set and model."""
        return f"{self.dataset} / {self.model}"

    @property
    def in_text(self) -> str:
        """The name of the block in captions and notes."""
        return f"{in_text(self.dataset)} / {in_text(self.model)}"


@dataclass(frozen=True)
class Cell:
    """One number of a table: the mean over seeds of a metric, in percent (margins in nats).

    Attributes:
        block: The model and data set, or the mean over several.
        mean: None if the cell has no value; `reason` says why.
        sd: The sample standard deviation over seeds; None for fewer than two seeds.
        seeds: The number of seeds; 0 for a row without seeds, which has one run.
        collapsed: How many of the runs collapsed during training. The mean includes them.
        mark: "better" or "worse" if the cell differs significantly from the baseline row, else "".
        best: Whether the cell is the best of its column in its block, or not significantly different from the best.
        reason: Why `mean` is None.
        by_seed: The value of each seed, or of the single run of a row without seeds; their mean is `mean`.
        runs: The folders of the runs that `mean` is made of, under the study's results.
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
    by_seed: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Samples:
    """The runs of a table, arranged by data set, model and method.

    Attributes:
        runs: The runs of each (dataset, model, method), sorted by seed. The model of a baseline is None.
        seeds: For each (dataset, model) every seed that any of its rows has.
        imported: The rows from other systems. Such a row has runs for some data sets and models only.
        missing: For each (dataset, model, method) the seeds whose runs have failed, each with the reason.
    """

    runs: dict[tuple[str, str | None, str], tuple[Run, ...]]
    seeds: dict[tuple[str, str], tuple[int, ...]] = field(repr=False)
    imported: Collection[str] = ()
    missing: Mapping[tuple[str, str | None, str], Mapping[int | None, str]] = field(default_factory=dict)

    def failures(self, dataset: str, model: str, method: str) -> Mapping[int | None, str]:
        """Why runs of a row have failed, by their seeds; empty if none has."""
        return self.missing.get((dataset, model, method)) or self.missing.get((dataset, None, method), {})

    def of(self, dataset: str, model: str, method: str) -> tuple[Run, ...]:
        """The runs of one row, sorted by seed; () if there are none. A run without a model belongs to all models."""
        return self.runs.get((dataset, model, method)) or self.runs.get((dataset, None, method), ())

    def reason(self, dataset: str, model: str, method: str, metric: str) -> str:
        """Why a row has no value in a metric; "" if it has one."""
        if failures := self.failures(dataset, model, method):
            return f"{NOT_AVAILABLE} ({'; '.join(_failure(seed, reason) for seed, reason in failures.items())})"
        runs = self.of(dataset, model, method)
        if not runs:
            return "no second annotator" if method == HUMAN else "not run for this model"
        if any(metric_value(run.scores, metric) is None for run in runs):
            return NOT_DEFINED
        if not all(run.estimates.gold[metric] for run in runs):
            return NO_GOLD
        if runs[0].seed is None:
            return ""
        missing = sorted(set(self.seeds[dataset, model]) - {run.seed for run in runs})
        return f"no score for seed {', '.join(map(str, missing))}" if missing else ""

    def values(self, dataset: str, model: str, method: str, metric: str) -> list[float]:
        """The values of a row in a metric, one for each run, as `metric_value` gives them."""
        return [metric_value(run.scores, metric) for run in self.of(dataset, model, method)]

    def estimates(self, dataset: str, model: str, method: str, metric: str) -> Estimates:
        """The estimates of a row in a metric, on all documents and without each cluster."""
        return stack([run.estimates.metrics[metric] for run in self.of(dataset, model, method)])


def _failure(seed: int | None, reason: str) -> str:
    return reason if seed is None else f"seed {seed} {reason}"


def metric_value(scores: Mapping[str, Any], metric: str) -> float | None:
    """The value of a metric in percent (margins in nats); None if the data set does not define it.

    Args:
        scores: The content of a score file.
        metric: `name` for the headline convention, `name@convention` for another one; the name of a `LabelMetric`; or a
            quantity of a mechanism or of stability.

    Raises:
        DataError: The metric has no such convention.
    """
    if metric in VALIDITY:
        return 100 * scores[metric] if metric in scores else None  # older files of scores have `valid` and `empty` only
    if metric in METRICS[PREFERENCES]:
        return scores[metric] * (1 if metric.endswith("_margin") else 100)
    if metric in MECHANISM or metric in STABILITY:
        return scores.get(metric)
    if of_label := label_metric(metric):
        return _label_value(scores.get("labels", {}).get(of_label.metric, {}), of_label)
    name, _, convention = metric.partition("@")
    conventions = scores["metrics"].get(name)
    if conventions is None:
        return None
    if (convention or HEADLINE) not in conventions:
        raise DataError(f"metric {metric}: no such convention; {name} has: {', '.join(sorted(conventions))}")
    return 100 * conventions[convention or HEADLINE]["f1"]


def _label_value(labels: Mapping[str, Mapping[str, float]], of_label: LabelMetric) -> float | None:
    """A number of a label, or of several from their summed counts, from the `labels` of one metric in a score file."""
    names = [of_label.label] if of_label.label in labels else of_label.label.split(TOGETHER)
    counted = [labels[name] for name in names if name in labels]  # one without gold and predicted items is not there
    sums = total(Counts(*(row[key] for key in ("tp", "predicted", "gold"))) for row in counted)
    return 100 * sums.shown()[of_label.part] if counted else None


def arrange(runs: Iterable[Run], imported: Collection[str] = (), missing: Iterable[Mapping[str, Any]] = ()) -> Samples:
    """Arrange the runs of a table by data set, model and method.

    Args:
        runs: All runs of the table.
        imported: The rows from other systems.
        missing: Runs that have failed, each with its dataset, model, method, seed and reason.

    Raises:
        DataError: Two runs have the same row and seed, or two runs on one data set were scored on different documents.
            Only the run of a second annotator may be on other documents.
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
    failures: dict[tuple[str, str | None, str], dict[int | None, str]] = {}
    for run in missing:
        failures.setdefault((run["dataset"], run["model"], run["method"]), {})[run["seed"]] = run["reason"]
        if run["model"] is not None:
            seeds.setdefault((run["dataset"], run["model"]), set()).update({run["seed"]} - {None})
    ordered = {
        key: tuple(row[seed] for seed in sorted(row, key=lambda seed: (seed is None, seed)))
        for key, row in by_row.items()
    }
    return Samples(ordered, {key: tuple(sorted(numbers)) for key, numbers in seeds.items()}, imported, failures)


def of_dataset(samples: Samples, dataset: str) -> Samples:
    """The runs on one data set."""
    kept = ({key: value for key, value in part.items() if key[0] == dataset} for part in (samples.runs, samples.seeds))
    return replace(samples, **dict(zip(("runs", "seeds"), kept, strict=True)))


def single_blocks(samples: Samples) -> list[Block]:
    """A block for each data set and model, in the order of the runs."""
    return [Block(dataset, model, (((dataset, model),),)) for dataset, model in samples.seeds]


def pooled_block(samples: Samples, rows: Sequence[str], metric: str) -> Block | None:
    """The block of the mean over data sets of the mean over models, for one metric.

    A data set that does not define the metric, or has no gold items of it, is left out. A model is left out if it lacks
    a trained row, or has fewer seeds than another model on one of the data sets. None if fewer than two pairs of data
    set and model remain.
    """
    without = (*WITHOUT_MODEL, PROMPTED, *samples.imported)
    trained = [row for row in rows if row not in without and _runs_anywhere(samples, row)]
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
    defined = samples.reason(dataset, model, row, metric) not in (NOT_DEFINED, NO_GOLD)
    return bool(samples.of(dataset, model, row)) and defined


def rows_of(samples: Samples, block: Block, rows: Sequence[str]) -> list[str]:
    """The rows that a block shows, in the order of `rows`.

    A prompted model has its row `prompted` and the baselines. Other models have trained rows and the baselines. A mean
    has no rows `prompted` and `human`. An imported row is shown where it has runs; a mean over several models needs
    runs that are of each model.
    """
    return [row for row in rows if _is_shown(samples, block, row)]


def _is_shown(samples: Samples, block: Block, row: str) -> bool:
    if row in samples.imported:
        members = [member for models in block.members for member in models]
        runs = [samples.of(*member, row) for member in members]
        return all(runs) and (len(block.members) == len(members) or runs[0][0].model is not None)
    if row in WITHOUT_MODEL:
        return not (block.pooled and row == HUMAN)
    where = block.dataset, block.model, PROMPTED
    prompted = not block.pooled and bool(samples.of(*where) or samples.failures(*where))
    return (row == PROMPTED) == prompted


def build_cells(samples: Samples, blocks: Mapping[str, Sequence[Block]], rows: Sequence[str]) -> list[Cell]:
    """The cells of a table, ordered by block, metric and row.

    A mean needs every seed that any row of the same data set and model has; otherwise the cell is empty and its reason
    names the missing seeds. Baselines have no seeds and appear under every model of their data set.

    Args:
        samples: All runs of the table.
        blocks: The blocks of each metric.
        rows: Methods and baselines, in order; `rows_of` says which of them a block shows.
    """
    by_block: dict[Block, list[Cell]] = {}
    for metric, of_metric in blocks.items():
        for block in of_metric:
            cells = by_block.setdefault(block, [])
            cells += [_cell(samples, block, row, metric) for row in rows_of(samples, block, rows)]
    return [cell for cells in by_block.values() for cell in cells]


def _cell(samples: Samples, block: Block, row: str, metric: str) -> Cell:
    empty = Cell(block, row, metric, mean=None)
    members = [(dataset, model) for models in block.members for dataset, model in models]
    for dataset, model in members:
        if reason := samples.reason(dataset, model, row, metric):
            return replace(empty, reason=reason)
    values = mean_by_seed(
        [[samples.values(dataset, model, row, metric) for dataset, model in models] for models in block.members]
    )
    mean, sd = over_seeds(values)
    runs = [run for dataset, model in members for run in samples.of(dataset, model, row)]
    return replace(
        empty,
        mean=mean,
        sd=sd,
        seeds=0 if runs[0].seed is None else len(values),
        collapsed=sum(run.collapsed for run in runs),
        by_seed=tuple(values),
        runs=tuple(dict.fromkeys(run_folder(run.dataset, run.model, run.method, run.seed) for run in runs)),
    )


def mean_by_seed(datasets: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """The mean over data sets of the mean over models, for each seed.

    Args:
        datasets: For each data set and each model on it the values of all seeds, in the same order of seeds.
    """
    return np.mean([np.mean(models, axis=0) for models in datasets], axis=0).tolist()


def over_seeds(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean over seeds, and the sample standard deviation; None for fewer than two seeds."""
    series = pd.Series(values)
    return float(series.mean()), float(series.std()) if len(series) > 1 else None


RENAMED = "modules that have other names since"
"""The entry for such modules in the list of modules that differ."""


def code_differences(provenance: Sequence[Mapping[str, Any]], *, strict: bool) -> list[str]:
    """The modules of `tabpo` whose code differed between the runs of a table, sorted.

    Fingerprints are stored by module name, so runs from before and after the renaming of a module cannot be compared
    module by module. If some runs, but not all, name modules that this version lacks, the list ends with `RENAMED`.

    Args:
        provenance: The `provenance.json` of each run.
        strict: Whether the study sets `strict_code`.

    Raises:
        ConfigError: Modules differ and `strict` is set.
    """
    versions: dict[str, set[str]] = {}
    for run in provenance:
        for module, fingerprint in run["code"].items():
            versions.setdefault(module, set()).add(fingerprint)
    differing = sorted(module for module, fingerprints in versions.items() if len(fingerprints) > 1)
    present = module_names()
    if len({run["code"].keys() <= present for run in provenance}) > 1:
        differing.append(RENAMED)
    if differing and strict:
        raise ConfigError(f"strict_code: runs of this table were made with different code in {', '.join(differing)}")
    return differing
