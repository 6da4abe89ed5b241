"""A confusion table as heat maps: labels, sub-labels and relations, with what was missed and what was invented."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.confusions.counts import NONE, UNKNOWN
from tabpo.records import Confusion
from tabpo.reports.style import write_svg

PANELS = {
    "Labels": ("label", "missed", "spurious"),
    "Sub-labels": ("sublabel",),
    "Relations": ("relation_label", "relation_missed", "relation_spurious"),
}
"""Kinds of the table that each heat map is made of; those after the first fill the column and the row of NONE."""

CELL = 0.55
"""Side of a cell, inches."""


def write_heat_maps(path: Path, table: Sequence[Confusion], title: str) -> None:
    """Write an SVG: a heat map for each kind of value that the table has; the same table gives the same bytes.

    A cell shows its count, and by its shade the share of its row, which is a gold value. UNKNOWN is what
    the ontology does not have. The map of an empty table has one empty cell.
    """
    panels = {name: _matrix(table, kinds) for name, kinds in PANELS.items()}
    drawn = {name: panel for name, panel in panels.items() if panel[0]} or {"No counts": ([NONE], np.zeros((1, 1)))}
    sizes = [CELL * len(values) + 2.2 for values, _ in drawn.values()]
    figure = Figure(figsize=(sum(sizes), max(sizes)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, len(drawn), squeeze=False, width_ratios=sizes)[0]
    for axis, (name, (values, counts)) in zip(axes, drawn.items(), strict=True):
        _draw(axis, name, values, counts)
    write_svg(path, figure)


def _matrix(table: Sequence[Confusion], kinds: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The values in order (NONE and UNKNOWN last) and counts by gold and predicted value."""
    cells = {
        (row.gold, row.predicted): row.count
        for row in table
        if row.kind == kinds[0] or (row.kind in kinds and NONE in (row.gold, row.predicted))
    }
    values = sorted({value for cell in cells for value in cell}, key=lambda value: (value in (NONE, UNKNOWN), value))
    counts = np.array([[cells.get((gold, predicted), 0) for predicted in values] for gold in values])
    return values, counts


def _draw(axis: Axes, name: str, values: Sequence[str], counts: np.ndarray) -> None:
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set(title=name, xlabel="predicted", ylabel="gold")
    axis.set_xticks(range(len(values)), values, rotation=90)
    axis.set_yticks(range(len(values)), values)
    for row, column in np.argwhere(counts):
        shade = "white" if shares[row, column] > 0.5 else "black"
        axis.text(column, row, counts[row, column], ha="center", va="center", color=shade, fontsize=7)
