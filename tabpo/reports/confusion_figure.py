"""Draw confusion tables as heat maps of labels, sub-labels and relations, and how a method has changed them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.confusions.counts import NONE, UNKNOWN
from tabpo.names import SFT
from tabpo.records import Confusion
from tabpo.reports.style import COLUMN, FONT, SMALL_TEXT, write_svg

_MAPS = (
    " A row is a value of the gold annotation, a column a predicted value. The column NONE counts gold items that were"
    " missed, and the row NONE predicted items that gold lacks; UNKNOWN is a value that the ontology lacks. Of many"
    " values the most frequent have a row of their own, and the others share one."
)

CAPTION = (
    f"What the model took for what.{_MAPS} A number counts items; the darker a cell, the larger its share of its row."
    " Rejected answers of pairs are drawn from these counts."
)

CHANGE_CAPTION = (
    f"What the SFT model took for what in test, what the method takes for what, and the difference.{_MAPS} A number"
    " counts items, as a mean over seeds; unreadable answers are left out. Above, a cell is the darker the larger its"
    " share of its row. In the difference a cell is blue if its share has grown and red if it has shrunk, with full"
    " colour from a quarter of the row on. Bold numbers are right values: blue is better there, and red elsewhere."
)

PANELS = {
    "Labels": ("label", "missed", "spurious"),
    "Sub-labels": ("sublabel",),
    "Relations": ("relation_label", "relation_missed", "relation_spurious"),
}
"""The kinds of confusion in each heat map; the second and third kind fill the column and the row of NONE."""

MOST = 7
"""The largest number of values of the ontology in a map; of more, the rarest share one row and column."""

LONGEST = 20
"""The largest number of characters that are shown of a value."""

ROW, TITLE, NAMES = 0.11, 0.2, 0.8
"""The height of a row, of a title and of the names below a map, in inches."""

FULL = 0.25
"""The change of a share of a row that has the full colour."""

OTHERS = "{} others"


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One heat map: rows are gold values, columns predicted values.

    Attributes:
        title: Its title.
        values: The values, n.
        counts: The numbers in the cells, (n, n).
        shades: Between 0 and 1, (n, n).
        change: Whether the numbers are differences.
    """

    title: str
    values: Sequence[str]
    counts: np.ndarray
    shades: np.ndarray
    change: bool = False


def write_heat_maps(path: Path, table: Sequence[Confusion], title: str) -> None:
    """Write an SVG with a heat map for each kind of value in the table.

    A cell shows its count; its shade is the share of its row. UNKNOWN is a value that the ontology does not have. An
    empty table gives a map with one empty cell. Equal tables give equal bytes.
    """
    groups = []
    for name, kinds in PANELS.items():
        values, (counts,) = folded(mean_counts([table], kinds))
        groups.append([HeatMap(name, values, counts, _shares(counts))])
    empty = HeatMap("No counts", [NONE], np.zeros((1, 1)), np.zeros((1, 1)))
    _write(path, [group for group in groups if group[0].values] or [[empty]], title)


def write_changes(
    path: Path, before: Sequence[Sequence[Confusion]], after: Sequence[Sequence[Confusion]], method: str, title: str
) -> None:
    """Write an SVG with three heat maps for each kind of value: before, after, and the difference.

    Args:
        path: The SVG.
        before: The confusion tables of the SFT models of all seeds.
        after: Those of the models that the method has trained.
        method: The name of the method.
        title: The title of the figure.
    """
    groups = []
    for name, kinds in PANELS.items():
        values, (old, new) = folded(mean_counts(before, kinds), mean_counts(after, kinds))
        shares = _shares(old), _shares(new)
        change = np.clip((shares[1] - shares[0]) / (2 * FULL) + 0.5, 0, 1)
        maps = [HeatMap(f"{name}: {SFT}", values, old, shares[0]), HeatMap(f"{name}: {method}", values, new, shares[1])]
        maps.append(HeatMap(f"{name}: {method} minus {SFT}", values, new - old, change, change=True))
        groups.append(maps)
    _write(path, [group for group in groups if group[0].values], title)


def mean_counts(tables: Sequence[Sequence[Confusion]], kinds: Sequence[str]) -> Counter[tuple[str, str]]:
    """The mean over confusion tables of each count, by gold and predicted value.

    Args:
        tables: A table for each seed.
        kinds: The kinds of one heat map, a value of `PANELS`.
    """
    sums = Counter()
    for table in tables:
        for row in table:
            if row.kind == kinds[0] or (row.kind in kinds and NONE in (row.gold, row.predicted)):
                sums[row.gold, row.predicted] += row.count / len(tables)
    return sums


def folded(*tables: Mapping[tuple[str, str], float]) -> tuple[list[str], list[np.ndarray]]:
    """The values of a heat map, and the counts of each table by gold and predicted value, (n, n).

    Values are in the order of their names, with NONE and UNKNOWN last. Of more than `MOST` values, the rarest in gold,
    in all tables together, share one row and column.
    """
    gold = Counter()
    for table in tables:
        for (value, predicted), count in table.items():
            gold[value] += count
            gold[predicted] += 0
    ranked = sorted(gold.keys() - {NONE, UNKNOWN}, key=lambda value: (-gold[value], value))
    kept = sorted(ranked if len(ranked) <= MOST else ranked[: MOST - 1])
    others = [OTHERS.format(len(ranked) - len(kept))] * (len(ranked) > len(kept))
    values = [*kept, *others, *(value for value in (NONE, UNKNOWN) if value in gold)]
    places = {value: values.index(value) if value in values else len(kept) for value in gold}
    folded_tables = []
    for table in tables:
        counts = np.zeros((len(values), len(values)))
        for (value, predicted), count in table.items():
            counts[places[value], places[predicted]] += count
        folded_tables.append(counts)
    return values, folded_tables


def _shares(counts: np.ndarray) -> np.ndarray:
    sums = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def _write(path: Path, groups: Sequence[Sequence[HeatMap]], title: str) -> None:
    """Draw all maps below one another; the maps of a group have the same values, which are named below the last one."""
    maps = [drawn for group in groups for drawn in group]
    height = sum(ROW * len(drawn.values) + TITLE for drawn in maps) + NAMES * len(groups) + TITLE
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=(COLUMN, height), layout="constrained")
        figure.suptitle(title, fontsize=FONT + 1)
        axes = figure.subplots(
            max(1, len(maps)), squeeze=False, height_ratios=[len(each.values) for each in maps] or [1]
        )
        last = {id(group[-1]) for group in groups}
        for axis, drawn in zip(axes[:, 0], maps, strict=False):
            _draw(axis, drawn)
            if id(drawn) in last:
                axis.set_xticks(np.arange(len(drawn.values)) + 0.5, map(_short, drawn.values), rotation=90)
                axis.set_xlabel("predicted")
        write_svg(path, figure)


def _draw(axis: Axes, drawn: HeatMap) -> None:
    axis.pcolormesh(
        drawn.shades, cmap="RdBu" if drawn.change else "Blues", vmin=0, vmax=1, edgecolor="white", linewidth=0.3
    )
    axis.invert_yaxis()
    axis.tick_params(length=0)
    axis.set_title(drawn.title, loc="left")
    axis.set_ylabel("gold")
    axis.set_xticks([])
    axis.set_yticks(np.arange(len(drawn.values)) + 0.5, map(_short, drawn.values))
    for row, column in np.argwhere(np.rint(drawn.counts)):
        shade = drawn.shades[row, column]
        light = 0.2 < shade < 0.8 if drawn.change else shade < 0.5
        right = row == column and drawn.values[row] not in (NONE, UNKNOWN) and " " not in drawn.values[row]
        axis.text(
            column + 0.5,
            row + 0.5,
            f"{drawn.counts[row, column]:{'+' if drawn.change else ''}.0f}",
            ha="center",
            va="center",
            color="black" if light else "white",
            fontweight="bold" if right else "normal",
        )


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
