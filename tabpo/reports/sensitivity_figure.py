"""Draw how scores depend on the value of one setting, for one model and data set."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tabpo.names import SFT
from tabpo.reports.style import COLUMN, FONT, SMALL_TEXT, line_styles, write_svg
from tabpo.tables.meanings import printed_metric, printed_name, unit
from tabpo.tables.sensitivity import Point

CAPTION = (
    "How the scores on test depend on one setting of a method, all other settings being equal; with label noise, on the"
    " share of pairs whose answers are exchanged, with a line for each method. A point is the mean over"
    " seeds, and its bar the 95 % interval over new seeds and new test documents (with one seed: over new documents"
    " only). The values are in order and equally far apart, whatever their distance. The filled point is the default,"
    " and the dashed line with its band is SFT. All rows share seeds and documents, so bars that overlap do not say"
    " that two values are equally good: the table of the same name has the differences to the default and their tests."
)

MOST_CHARACTERS = 15
"""Values that are longer together are written upright, so that they do not touch."""

POINT = {"marker": "o", "markersize": 3.5, "markeredgewidth": 0.9}
APART = 0.08
"""Distance between the points of two lines with the same value, so that their intervals can be told apart."""

REFERENCE = {"color": "0.45", "linewidth": 0.9, "linestyle": "--"}


def write_sensitivity_figure(
    path: Path,
    points: Mapping[str, Mapping[str, Point]],
    lines: Mapping[str, Mapping[str, Any]],
    *,
    setting: str,
    title: str,
) -> None:
    """Write an SVG with a panel for each metric. Equal points give equal bytes.

    Args:
        path: The file.
        points: For each metric the point of SFT and of each row.
        lines: For each row with the default value the rows of its line, each with its value; numbers are drawn in their
            order, then texts.
        setting: The name of the setting.
        title: Data set and model.
    """
    styles = {row: style["color"] for row, style in line_styles(lines).items()}
    rows, columns = math.ceil(len(points) / 2), min(2, max(1, len(points)))
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(
            figsize=(COLUMN * columns / 2 + 0.4 * (columns == 1), 0.5 + 1.5 * max(1, rows)), layout="constrained"
        )
        figure.suptitle(title, fontsize=FONT + 1)
        for place, (metric, of_rows) in enumerate(points.items(), 1):
            axis = figure.add_subplot(rows, columns, place, title=printed_metric(metric), xlabel=setting)
            axis.set_ylabel("nats" if unit(metric) == "nats" else "percent")
            _draw(axis, of_rows, lines, styles)
        handles = [
            Line2D([], [], linewidth=0.9, label=f"default, {printed_name(default, {})}", color=colour, **POINT)
            for default, colour in styles.items()
        ]
        handles.append(Line2D([], [], label=printed_name(SFT, {}), **REFERENCE))
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        write_svg(path, figure)


def _draw(
    axis: Axes, points: Mapping[str, Point], lines: Mapping[str, Mapping[str, Any]], colours: Mapping[str, Any]
) -> None:
    values = sorted({value for rows in lines.values() for value in rows.values()}, key=_in_order)
    axis.axhspan(points[SFT].low, points[SFT].high, color="0.92", linewidth=0)
    axis.axhline(points[SFT].mean, **REFERENCE)
    for number, (default, rows) in enumerate(lines.items()):
        shift = APART * (number - (len(lines) - 1) / 2)
        places = {row: values.index(value) + shift for row, value in rows.items()}
        ordered = sorted(rows, key=places.get)
        colour = colours[default]
        axis.plot(
            [places[row] for row in ordered],
            [points[row].mean for row in ordered],
            linewidth=0.6,
            color=colour,
            alpha=0.5,
        )
        for row in ordered:
            axis.vlines(places[row], points[row].low, points[row].high, linewidth=0.9, color=colour)
            filled = colour if row == default else "white"
            axis.plot(places[row], points[row].mean, markerfacecolor=filled, color=colour, **POINT)
    names = [str(value) for value in values]
    axis.set_xticks(range(len(names)), names, rotation=90 if len("".join(names)) > MOST_CHARACTERS else 0)
    axis.set_xlim(-0.5, len(values) - 0.5)


def _in_order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return not number, value if number else 0, str(value)
