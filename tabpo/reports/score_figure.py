"""Draw the scores of a table as dots with intervals: a panel for each metric on each data set and model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.reports.style import COLOURS, COLUMN, FONT, PAGE, PAGE_HEIGHT, SMALL_TEXT, write_svg
from tabpo.tables.cells import MEAN
from tabpo.tables.meanings import title

CAPTION = (
    "The scores of the table above. A dot is the mean of a method over seeds. The line is the mean of the row that all"
    " are compared with, and a bar is the 95 % interval of the difference to it, drawn from the line: if the bar does"
    " not reach the line, the difference is significant at .05 before the correction for many differences. The"
    " intervals are those of the table's tests, over new seeds and new documents; with one seed they are over new"
    " documents alone. Rows without seeds are not drawn, and of a table that does not fit on a page only the means over"
    " models or data sets."
)

ROW = 0.13
"""The height of a method in a panel, in inches."""

WIDTHS = {COLUMN: 2, PAGE: 4}
"""The number of panels beside one another by the width of a figure, in inches."""

Panels = dict[tuple[str, str, str], dict[str, "Dot"]]
"""The dots of each method by data set, model and metric."""

Row = Mapping[str, str]
"""A line of a CSV file."""


@dataclass(frozen=True)
class Dot:
    """The score of one method.

    Attributes:
        mean: The mean over seeds.
        low: The mean of the row that it is compared with, plus the lower end of the difference's interval.
        high: The same with the upper end.
        line: The mean of the row that it is compared with.
    """

    mean: float
    low: float
    high: float
    line: float


def dots(cells: Sequence[Row], tests: Sequence[Row]) -> Panels:
    """The dots of a table.

    Only metrics whose differences are tested are drawn, or all if none is.

    Args:
        cells: The lines of a table's `x.csv`.
        tests: The lines of its `x.tests.csv`.
    """
    means = {_key(row): float(row["mean"]) for row in cells if row["mean"]}
    tested = {row["metric"] for row in tests if row["family"]}
    panels: Panels = {}
    for row in tests:
        if not tested or row["metric"] in tested:
            mean = means[_key(row)]
            difference, low, high = (float(row[name]) for name in ("difference", "low", "high"))
            line = mean - difference
            dot = Dot(mean, line + low, line + high, line)
            panels.setdefault((row["dataset"], row["model"], row["metric"]), {})[row["method"]] = dot
    return panels


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("dataset", "model", "method", "metric"))


def write_score_figure(path: Path, cells: Sequence[Row], tests: Sequence[Row], heading: str) -> None:
    """Write an SVG with a panel for each data set, model and metric; methods are rows. Equal rows give equal bytes.

    The figure is as wide as a column, or as a page if it would be higher than a page. If it does not fit on a page
    either, only the means over models or data sets are drawn.

    Args:
        path: The SVG.
        cells: The lines of a table's `x.csv`.
        tests: The lines of its `x.tests.csv`.
        heading: The title of the figure.
    """
    panels, width = _fitting(dots(cells, tests))
    methods, across = _methods(panels), min(WIDTHS[width], max(1, len(panels)))
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=(width, _height(panels, width)), layout="constrained" if panels else None)
        figure.suptitle(heading, fontsize=FONT + 1)
        for number, ((dataset, model, metric), panel) in enumerate(panels.items()):
            axis = figure.add_subplot(ceil(len(panels) / across), across, number + 1)
            axis.set_title(f"{dataset}\n{model}\n{title(metric)}")
            _draw(axis, panel, methods)
            axis.set_yticks(range(len(methods)), [""] * len(methods) if number % across else methods)
        write_svg(path, figure)


def _fitting(panels: Panels) -> tuple[Panels, float]:
    """The panels that are drawn and the width of the figure, in inches."""
    means = {key: panel for key, panel in panels.items() if any(name.startswith(MEAN) for name in key[:2])}
    choices = [(drawn, width) for drawn in (panels, means or panels) for width in WIDTHS]
    return next((choice for choice in choices if _height(*choice) <= PAGE_HEIGHT), choices[-1])


def _height(panels: Panels, width: float) -> float:
    return 0.3 + ceil(len(panels) / WIDTHS[width]) * (ROW * len(_methods(panels)) + 0.6)


def _methods(panels: Panels) -> list[str]:
    return list(dict.fromkeys(method for panel in panels.values() for method in panel))


def _draw(axis: Axes, panel: Mapping[str, Dot], methods: Sequence[str]) -> None:
    places = [methods.index(method) for method in panel]
    drawn = list(panel.values())
    axis.axvline(np.mean([dot.line for dot in drawn]), color="0.4", linewidth=0.6, linestyle=(0, (4, 2)))
    axis.hlines(places, [dot.low for dot in drawn], [dot.high for dot in drawn], color=COLOURS[0], linewidth=0.9)
    axis.plot([dot.mean for dot in drawn], places, "o", color=COLOURS[0], markersize=2.5)
    axis.set_ylim(len(methods) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", linewidth=0.3, color="0.85")
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
