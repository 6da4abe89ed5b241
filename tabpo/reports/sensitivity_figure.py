"""Draw how scores depend on the value of one setting, for one model and data set."""

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tabpo.names import SFT
from tabpo.reports.style import COLOURS, COLUMN, FONT, SMALL_TEXT, write_svg
from tabpo.tables.meanings import printed_metric, printed_name, unit
from tabpo.tables.sensitivity import Point

CAPTION = (
    "How the scores on test depend on one setting of a method, all other settings being equal. A point is the mean over"
    " seeds, and its bar the 95 % interval over new seeds and new test documents (with one seed: over new documents"
    " only). The values are in order and equally far apart, whatever their distance. The filled point is the default,"
    " and the dashed line with its band is SFT. All rows share seeds and documents, so bars that overlap do not say"
    " that two values are equally good: the table of the same name has the differences to the default and their tests."
)

MOST_CHARACTERS = 15
"""Values that are longer together are written upright, so that they do not touch."""

POINT = {"marker": "o", "markersize": 3.5, "markeredgewidth": 0.9, "color": COLOURS[0]}
REFERENCE = {"color": "0.45", "linewidth": 0.9, "linestyle": "--"}


def write_sensitivity_figure(
    path: Path,
    points: Mapping[str, Mapping[str, Point]],
    values: Mapping[str, object],
    *,
    setting: str,
    default: str,
    title: str,
) -> None:
    """Write an SVG with a panel for each metric. Equal points give equal bytes.

    Args:
        path: The file.
        points: For each metric the point of each row of `values` and of SFT.
        values: The value of each row, in the order in which they are drawn.
        setting: The name of the setting.
        default: The row that has the default value.
        title: Data set and model.
    """
    rows, columns = math.ceil(len(points) / 2), min(2, max(1, len(points)))
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(
            figsize=(COLUMN * columns / 2 + 0.4 * (columns == 1), 0.5 + 1.5 * max(1, rows)), layout="constrained"
        )
        figure.suptitle(title, fontsize=FONT + 1)
        for place, (metric, of_rows) in enumerate(points.items(), 1):
            axis = figure.add_subplot(rows, columns, place, title=printed_metric(metric), xlabel=setting)
            axis.set_ylabel("nats" if unit(metric) == "nats" else "percent")
            _draw(axis, of_rows, values, default)
        handles = [
            Line2D([], [], linewidth=0.9, label=f"default, {printed_name(default, {})}", **POINT),
            Line2D([], [], label=printed_name(SFT, {}), **REFERENCE),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        write_svg(path, figure)


def _draw(axis: Axes, points: Mapping[str, Point], values: Mapping[str, object], default: str) -> None:
    texts = [str(value) for value in values.values()]
    sft = points[SFT]
    axis.axhspan(sft.low, sft.high, color="0.92", linewidth=0)
    axis.axhline(sft.mean, **REFERENCE)
    numbers = [points[row].mean for row, value in values.items() if isinstance(value, int | float)]  # texts come last
    axis.plot(range(len(numbers)), numbers, linewidth=0.6, color=COLOURS[0], alpha=0.5)
    for place, row in enumerate(values):
        point = points[row]
        axis.vlines(place, point.low, point.high, linewidth=0.9, color=COLOURS[0])
        axis.plot(place, point.mean, markerfacecolor=COLOURS[0] if row == default else "white", **POINT)
    axis.set_xticks(range(len(texts)), texts, rotation=90 if sum(map(len, texts)) > MOST_CHARACTERS else 0)
    axis.set_xlim(-0.5, len(values) - 0.5)
