"""Compute the differences between the rows of a table, test them, and choose which cells the table marks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabpo.names import DICTIONARY, HUMAN, SFT
from tabpo.tables.cells import NO_GOLD, Block, Cell, Samples
from tabpo.tables.meanings import unit
from tabpo.tables.significance import (
    CLUSTERS_TO_MARK,
    LEVEL,
    SEEDS_TO_MARK,
    Effect,
    effect,
    holm,
    over_documents,
    pooled,
)

STRICT = ("ner_strict", "triple")
"""Metrics in which SFT must be better than the dictionary; a data set has one of them."""

WITHOUT_BEST = ("empty", "cut_off", "items_written", "distinct", "margin_variance", "spikes")
"""Metrics of which more is not better, so that no row is the best."""

POOLED, BLOCKS = "pooled", "blocks"
"""The families of tests: means over models and data sets, for which a study is planned, and all single blocks."""


@dataclass(frozen=True)
class Comparison:
    """The difference between a row and the baseline row, in one metric and one block.

    Attributes:
        method: The row.
        against: The baseline row, as it is printed.
        effect: The difference, row minus baseline, in points (margins in nats).
        relative: The difference in percent of the baseline; None if the baseline is 0 or the unit is nats.
        sd_seeds: The sample standard deviation of the difference over seeds; None for fewer than two seeds.
        clusters: The number of clusters of documents in each data set.
        family: `POOLED` or `BLOCKS` if the difference is tested; "" if the table only shows its interval.
        tests: The number of differences in the family; 0 without a family.
        p_holm: p adjusted over the family. None without a family or p, or if there are too few seeds or clusters.
    """

    block: Block
    method: str
    against: str
    metric: str
    effect: Effect
    relative: Effect | None
    sd_seeds: float | None
    clusters: tuple[int, ...]
    family: str = ""
    tests: int = 0
    p_holm: float | None = None

    @property
    def p(self) -> float | None:
        """Unadjusted p; None with one seed, as the variance over seeds is unknown, or if all differences were equal."""
        return self.effect.p if self.effect.seeds > 1 else None

    @property
    def markable(self) -> bool:
        """Whether there are enough seeds and clusters for a mark."""
        return self.effect.seeds >= SEEDS_TO_MARK and min(self.clusters) >= CLUSTERS_TO_MARK

    @property
    def mark(self) -> str:
        """ "better" or "worse" if the adjusted p is below .05, else ""."""
        if self.p_holm is None or self.p_holm >= LEVEL:
            return ""
        return "better" if self.effect.estimate > 0 else "worse"


def compare(
    samples: Samples,
    cells: Sequence[Cell],
    *,
    against: str | Mapping[str, str],
    tested: Collection[str],
    rows: Collection[str],
) -> list[Comparison]:
    """Compare every row with seeds with the baseline row, in the order of the cells, and adjust p within families.

    Args:
        samples: All runs of the table.
        cells: All cells of the table.
        against: The baseline: a row of the same block, or the model and method of one row for all models.
        tested: The metrics whose differences form the families.
        rows: The rows whose differences form the families.
    """
    return adjust_families(
        [
            comparison if comparison.method in rows else replace(comparison, family="")
            for comparison in differences(samples, cells, against=against, tested=tested)
        ]
    )


def differences(
    samples: Samples, cells: Sequence[Cell], *, against: str | Mapping[str, str], tested: Collection[str]
) -> list[Comparison]:
    """The comparisons of `compare` before their p is adjusted."""
    comparisons = []
    for cell in cells:
        if cell.mean is None or not cell.seeds or cell.method == against:
            continue
        other = _baseline(cell, against)
        if all(not samples.reason(*member, cell.metric) for models in other for member in models):
            comparisons.append(_comparison(samples, cell, other, against, tested))
    return comparisons


def adjust_families(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons, each with the size of its family and its p adjusted over it."""
    adjusted = list(comparisons)
    for family in (POOLED, BLOCKS):
        places = [number for number, comparison in enumerate(adjusted) if comparison.family == family]
        values = holm([adjusted[number].p if adjusted[number].markable else None for number in places])
        for number, p in zip(places, values, strict=True):
            adjusted[number] = replace(adjusted[number], tests=len(places), p_holm=p)
    return adjusted


def over_seeds_alone(comparison: Comparison) -> Comparison:
    """The same comparison of quantities of training, which are of no documents: its variance is that over seeds."""
    components = tuple(part for part in comparison.effect.components if part.source == "seeds")
    effect = replace(comparison.effect, components=components, documents=0)
    return replace(comparison, effect=effect, relative=None, clusters=(0,))


def _baseline(cell: Cell, against: str | Mapping[str, str]) -> list[list[tuple[str, str, str]]]:
    """For each member of the cell's block the baseline (dataset, model, method), arranged like `Block.members`."""
    if isinstance(against, str):
        return [[(*member, against) for member in models] for models in cell.block.members]
    return [[(dataset, against["model"], against["method"]) for dataset, _ in models] for models in cell.block.members]


def _comparison(
    samples: Samples,
    cell: Cell,
    other: list[list[tuple[str, str, str]]],
    against: str | Mapping[str, str],
    tested: Collection[str],
) -> Comparison:
    pairs = [
        [
            (samples.estimates(*member, cell.method, cell.metric), samples.estimates(*row, cell.metric))
            for member, row in zip(models, rows, strict=True)
        ]
        for models, rows in zip(cell.block.members, other, strict=True)
    ]
    differences = [[row - baseline for row, baseline in models] for models in pairs]
    gains = [[row.gain(baseline) for row, baseline in models] for models in pairs]
    by_seed = np.mean([np.mean([estimates.whole for estimates in models], axis=0) for models in differences], axis=0)
    defined = unit(cell.metric) == "points" and all(gain is not None for models in gains for gain in models)
    return Comparison(
        cell.block,
        cell.method,
        against if isinstance(against, str) else f"{against['method']} of {against['model']}",
        cell.metric,
        pooled(differences),
        pooled(gains) if defined else None,
        float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        tuple(models[0].without.shape[1] for models in differences),
        family=(POOLED if cell.block.pooled else BLOCKS) if cell.metric in tested else "",
    )


def mark(
    samples: Samples, cells: Sequence[Cell], comparisons: Sequence[Comparison], withheld: Collection[Block]
) -> list[Cell]:
    """The cells with `mark` and `best` set, but not in `withheld` blocks and in means that include such a block."""
    marks = marks_of(comparisons, withheld)
    shown = [cell for cell in cells if not rests_on(cell.block, withheld)]
    best = {id(cell) for column in _columns(shown) for cell in _best(samples, column)}
    return [
        replace(cell, mark=marks.get((cell.block, cell.method, cell.metric), ""), best=id(cell) in best)
        for cell in cells
    ]


def marks_of(comparisons: Sequence[Comparison], withheld: Collection[Block]) -> dict[tuple[Block, str, str], str]:
    """The mark of each compared cell, by block, row and metric; none for blocks that rest on `withheld` ones."""
    return {
        (comparison.block, comparison.method, comparison.metric): comparison.mark
        for comparison in comparisons
        if not rests_on(comparison.block, withheld)
    }


def rests_on(block: Block, withheld: Collection[Block]) -> bool:
    """Whether a block is one of these single blocks, or a mean that includes one."""
    hidden = {member for each in withheld for models in each.members for member in models}
    return not hidden.isdisjoint(member for models in block.members for member in models)


def _columns(cells: Sequence[Cell]) -> list[list[Cell]]:
    columns: dict[tuple[Block, str], list[Cell]] = {}
    for cell in cells:
        # a second annotator may have read other documents
        if cell.mean is not None and cell.method != HUMAN and cell.metric not in WITHOUT_BEST:
            columns.setdefault((cell.block, cell.metric), []).append(cell)
    return list(columns.values())


def _best(samples: Samples, column: Sequence[Cell]) -> list[Cell]:
    """The highest cell of a column, and every cell that does not differ from it at .05, unadjusted."""
    top = max(column, key=lambda cell: cell.mean)
    if all(cell.mean == top.mean for cell in column):
        return []  # all rows are equal, so none is best
    return [cell for cell in column if cell is top or not _differ(samples, top, cell)]


def _differ(samples: Samples, top: Cell, cell: Cell) -> bool:
    differences = [
        [
            samples.estimates(*member, top.method, top.metric) - samples.estimates(*member, cell.method, cell.metric)
            for member in models
        ]
        for models in top.block.members
    ]
    p = pooled(differences).p
    return round(top.mean, 1) != round(cell.mean, 1) if p is None else p < LEVEL


def rehearsals(samples: Samples, blocks: Sequence[Block], generated: Collection[str]) -> dict[Block, str]:
    """The single blocks that are rehearsals, which say nothing about the methods, each with the reason.

    Either the data are generated, or SFT is not significantly better than the dictionary in the strict metric: the 95 %
    interval of the difference starts at or below 0. With fewer than three seeds the interval is over documents only.

    Args:
        samples: All runs of the table.
        blocks: Its single blocks.
        generated: The names of the generated data sets.
    """
    reasons = {}
    for block in blocks:
        if block.dataset in generated:
            reasons[block] = "generated data"
        elif not _above_dictionary(samples, block):
            reasons[block] = "SFT is not significantly above the dictionary"
    return reasons


def _above_dictionary(samples: Samples, block: Block) -> bool:
    where = block.dataset, block.model
    for metric in STRICT:
        if all(samples.reason(*where, row, metric) in ("", NO_GOLD) for row in (SFT, DICTIONARY)):
            sft, dictionary = (samples.estimates(*where, row, metric) for row in (SFT, DICTIONARY))
            difference = sft - dictionary
            few = len(difference.whole) < SEEDS_TO_MARK
            low, _ = (over_documents(difference) if few else effect(difference)).interval
            return low > 0
    return True  # without both rows there is nothing to compare: a prompted model, or preference data
