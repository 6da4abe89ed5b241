"""Differences between the rows of a table: how large, how well known, and which of them a table marks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabpo.names import DICTIONARY, HUMAN, PROMPTED, SFT, WITHOUT_MODEL
from tabpo.reports.cells import Block, Cell, Samples
from tabpo.reports.significance import LEVEL, Effect, effect, holm, over_documents, pooled

SEEDS_TO_MARK = 3
CLUSTERS_TO_MARK = 20
"""Below either a table gives intervals and marks nothing."""

STRICT = ("ner_strict", "triple")
"""The metric in which SFT must be above the dictionary: the one of them that a data set has."""

POOLED, BLOCKS = "pooled", "blocks"
"""Families: of the means over models and data sets, which a study is planned for; and of each block by itself."""


@dataclass(frozen=True)
class Comparison:
    """The difference of one row to another in one column of one block.

    Attributes:
        against: The row that it is taken to, as it is printed.
        effect: In points (nats of a margin).
        relative: In percent of the other row; None where that is 0, or in nats.
        sd_seeds: Sample standard deviation of the difference over seeds; None for fewer than two.
        family: `POOLED` or `BLOCKS` where it is tested; "" where the table only shows its interval.
        tests: How many differences the family has; 0 without one.
        p_holm: p adjusted over the family; None without one, without p, or where there is too little to mark.
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
        """Unadjusted; None for one seed, whose variance nobody knows, and where nothing varied."""
        return self.effect.p if self.effect.seeds > 1 else None

    @property
    def markable(self) -> bool:
        """Whether there are seeds and documents enough."""
        return self.effect.seeds >= SEEDS_TO_MARK and min(self.clusters) >= CLUSTERS_TO_MARK

    @property
    def mark(self) -> str:
        """ "better", "worse" or ""."""
        if self.p_holm is None or self.p_holm >= LEVEL:
            return ""
        return "better" if self.effect.estimate > 0 else "worse"


def compare(
    samples: Samples, cells: Sequence[Cell], *, against: str | Mapping[str, str], tested: Collection[str]
) -> list[Comparison]:
    """Every row with seeds against one row, in the order of the cells; families are adjusted.

    Args:
        samples: All runs of the table.
        cells: All of the table.
        against: A row of the same block, or the model and method of a row that all models are compared with.
        tested: Metrics whose differences form the families.
    """
    found = []
    for cell in cells:
        if cell.mean is None or cell.method in (*WITHOUT_MODEL, PROMPTED) or cell.method == against:
            continue
        other = _baseline(cell, against)
        if all(not samples.reason(*member, cell.metric) for models in other for member in models):
            found.append(_comparison(samples, cell, other, against, tested))
    for family in (POOLED, BLOCKS):
        places = [number for number, one in enumerate(found) if one.family == family]
        adjusted = holm([found[number].p if found[number].markable else None for number in places])
        for number, p in zip(places, adjusted, strict=True):
            found[number] = replace(found[number], tests=len(places), p_holm=p)
    return found


def _baseline(cell: Cell, against: str | Mapping[str, str]) -> list[list[tuple[str, str, str]]]:
    """For each member of a cell's block the row (dataset, model, method) that it is compared with."""
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
    differences = [[ours - theirs for ours, theirs in models] for models in pairs]
    gains = [[ours.gain(theirs) for ours, theirs in models] for models in pairs]
    by_seed = np.mean([np.mean([one.whole for one in models], axis=0) for models in differences], axis=0)
    defined = not cell.metric.endswith("_margin") and all(one is not None for models in gains for one in models)
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
    """The cells with their marks; those of `withheld` blocks, and of means over such a block, get none."""
    hidden = {member for block in withheld for models in block.members for member in models}
    shown = [cell for cell in cells if not hidden & {member for models in cell.block.members for member in models}]
    marks = {(one.block, one.method, one.metric): one.mark for one in comparisons}
    best = {id(cell) for column in _columns(shown) for cell in _best(samples, column)}
    shown_ids = {id(cell) for cell in shown}
    return [
        replace(cell, mark=marks.get((cell.block, cell.method, cell.metric), ""), best=id(cell) in best)
        if id(cell) in shown_ids
        else cell
        for cell in cells
    ]


def _columns(cells: Sequence[Cell]) -> list[list[Cell]]:
    columns: dict[tuple[Block, str], list[Cell]] = {}
    for cell in cells:
        if cell.mean is not None and cell.method != HUMAN:  # whose documents may be others
            columns.setdefault((cell.block, cell.metric), []).append(cell)
    return list(columns.values())


def _best(samples: Samples, column: Sequence[Cell]) -> list[Cell]:
    """The highest of a column, and those whose difference to it does not reach .05, unadjusted."""
    top = max(column, key=lambda cell: cell.mean)
    if all(cell.mean == top.mean for cell in column):
        return []  # nothing stands out
    return [cell for cell in column if cell is top or not _told_apart(samples, top, cell)]


def _told_apart(samples: Samples, top: Cell, cell: Cell) -> bool:
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
    """Single blocks whose rows say nothing about methods, with the reason.

    Their data are generated, or SFT is not above the dictionary in the strict metric: the interval of the difference
    ends at or below 0 (over documents alone where there are fewer than three seeds).
    """
    found = {}
    for block in blocks:
        if block.dataset in generated:
            found[block] = "generated data"
        elif not _above_dictionary(samples, block):
            found[block] = "SFT is not above the dictionary"
    return found


def _above_dictionary(samples: Samples, block: Block) -> bool:
    where = block.dataset, block.model
    for metric in STRICT:
        if not any(samples.reason(*where, row, metric) for row in (SFT, DICTIONARY)):
            sft, dictionary = (samples.estimates(*where, row, metric) for row in (SFT, DICTIONARY))
            difference = sft - dictionary
            few = len(difference.whole) < SEEDS_TO_MARK
            low, _ = (over_documents(difference) if few else effect(difference)).interval
            return low > 0
    return True  # neither can be compared: a model behind an endpoint, preferences
