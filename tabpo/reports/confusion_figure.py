"""Draw a confusion table as heat maps of labels, sub-labels and relations, with missed and spurious items."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.confusions.counts import NONE, UNKNOWN
from tabpo.records import Confusion
from tabpo.reports.style import write_svg

CAPTION = (
    "What the model took for what: a row is a value of the gold annotation, a column a predicted value. A number"
    " counts items; the darker a cell, the larger its share of its row. The column NONE counts gold items that were"
    " missed, and the row NONE predicted items that gold lacks; UNKNOWN is a value that the ontology lacks. Rejected"
    " answers of pairs are drawn from these counts."
)

PANELS = {
    "Labels": ("label", "missed", "spurious"),
    "Sub-labels": ("sublabel",),
    "Relations": ("relation_label", "relation_missed", "relation_spurious"),
}
"""The kinds of confusion in each heat map; the second and third kind fill the column and the row of NONE."""

CELL = 0.55
"""The side of a cell, in inches."""


def write_heat_maps(path: Path, table: Sequence[Confusion], title: str) -> None:
    """Write an SVG with a heat map for each kind of value in the table.

    Rows are gold values, columns are predicted values. A cell shows its count; its shade is the share of its row.
    UNKNOWN is a value that the ontology does not have. An empty table gives a map with one empty cell. Equal tables
    give equal bytes.
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
    """The values in order, with NONE and UNKNOWN last, and the counts (gold values, predicted values)."""
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
