"""Draw the scores of a table as dots with intervals: a panel for each metric on each data set and model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.reports.style import COLOURS, COLUMN, FONT, SMALL_TEXT, write_svg
from tabpo.tables.meanings import title

CAPTION = (
    "The scores of the table above. A dot is the mean of a method over seeds. The line is the mean of the row that all"
    " are compared with, and a bar is the 95 % interval of the difference to it, drawn from the line: if the bar does"
    " not reach the line, the difference is significant at .05 before the correction for many differences. The"
    " intervals are those of the table's tests, over new seeds and new documents; with one seed they are over new"
    " documents alone. Rows without seeds are not drawn."
)

ROW = 0.13
"""The height of a method in a panel, in inches."""

MOST = 2
"""The largest number of panels beside one another."""

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


def dots(cells: Sequence[Row], tests: Sequence[Row]) -> dict[tuple[str, str, str], dict[str, Dot]]:
    """The dots of each method by data set, model and metric.

    Only metrics whose differences are tested are drawn, or all if none is.

    Args:
        cells: The lines of a table's `x.csv`.
        tests: The lines of its `x.tests.csv`.
    """
    means = {_key(row): float(row["mean"]) for row in cells if row["mean"]}
    tested = {row["metric"] for row in tests if row["family"]}
    panels: dict[tuple[str, str, str], dict[str, Dot]] = {}
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

    Args:
        path: The SVG.
        cells: The lines of a table's `x.csv`.
        tests: The lines of its `x.tests.csv`.
        heading: The title of the figure.
    """
    panels = dots(cells, tests)
    methods = list(dict.fromkeys(method for panel in panels.values() for method in panel))
    blocks: dict[tuple[str, str], list[str]] = {}
    for dataset, model, metric in panels:
        blocks.setdefault((dataset, model), []).append(metric)
    rows = [(block, metrics[n : n + MOST]) for block, metrics in blocks.items() for n in range(0, len(metrics), MOST)]
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=(COLUMN, 0.3 + len(rows) * (ROW * len(methods) + 0.6)), layout="constrained")
        figure.suptitle(heading, fontsize=FONT + 1)
        grid = figure.add_gridspec(max(1, len(rows)), MOST)
        for number, ((dataset, model), metrics) in enumerate(rows):
            for place, metric in enumerate(metrics):
                axis = figure.add_subplot(grid[number, place], title=f"{dataset}\n{model}\n{title(metric)}")
                _draw(axis, panels[dataset, model, metric], methods)
                axis.set_yticks(range(len(methods)), [""] * len(methods) if place else methods)
        write_svg(path, figure)


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
