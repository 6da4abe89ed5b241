"""Token erosion, as heat maps: how far the log-probs of held-out gold tokens had moved when a loss was done."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from tabpo.reports.style import FONT, SMALL_TEXT, write_svg

CLASSES = {
    "field": ("scaffolding", "label", "sublabel", "span", "link", "id"),
    "frequency": ("0", "1-9", "10-99", "100-999", "1000-"),
    "confidence": ("0-0.5", "0.5-0.9", "0.9-0.99", "0.99-1"),
}
"""Classes of tokens by which `erosion` of a run's `watch.json` is drawn; tokens without a label have no frequency."""

TITLES = {"field": "Field", "frequency": "Frequency", "confidence": "First prob."}

SHADES = SymLogNorm(linthresh=0.1, vmin=-1, vmax=1, base=10)
"""The same in all figures: white at 0, about half at a tenth of a nat, full at 1 and beyond."""

CELL, ROW = 0.24, 0.14
"""Width and height of a cell, inches."""

Watched = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
"""The rows `erosion` of each method's runs, a run a seed."""


def erosion(watched: Watched, by: str) -> dict[str, dict[str, float]]:
    """By method and class of tokens, the change of log-prob from step 0 to the last step in nats: the mean over seeds.

    A seed's value is the mean over all tokens of the class, whatever their other classes. A class of which a seed has
    no tokens is left out.
    """
    return {method: _over_seeds([_of_run(rows, by) for rows in runs]) for method, runs in watched.items()}


def _of_run(rows: Sequence[Mapping[str, Any]], by: str) -> dict[str, float]:
    last = [row for row in rows if row["step"] == rows[-1]["step"]]
    found = {}
    for name in CLASSES[by]:
        of_class = [row for row in last if row[by] == name]
        tokens = sum(row["tokens"] for row in of_class)
        if tokens:
            found[name] = sum(row["tokens"] * row["drift"] for row in of_class) / tokens
    return found


def _over_seeds(seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(seed[name] for seed in seeds) for name in seeds[0] if all(name in seed for seed in seeds)}


def write_erosion_figure(path: Path, watched: Watched, title: str) -> None:
    """Write an SVG: methods by class of tokens, one heat map for each kind of class; the same rows give the same bytes.

    A class that no method has is no column.
    """
    maps = {by: erosion(watched, by) for by in CLASSES}
    columns = {by: [name for name in CLASSES[by] if any(name in row for row in maps[by].values())] for by in CLASSES}
    drawn = [by for by in CLASSES if columns[by]]
    widths = [len(columns[by]) for by in drawn]
    size = (CELL * sum(widths) + 0.05 * max(map(len, watched)) + 0.2, ROW * len(watched) + 0.9)
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(f"{title}\nlog-prob of held-out gold tokens, change in nats", fontsize=FONT + 1)
        grid = figure.add_gridspec(1, max(1, len(drawn)), width_ratios=widths or [1])
        for place, by in enumerate(drawn):
            axis = figure.add_subplot(grid[place], title=TITLES[by])
            _draw(axis, [[row.get(name, math.nan) for name in columns[by]] for row in maps[by].values()])
            axis.set_xticks(np.arange(len(columns[by])) + 0.5, columns[by], rotation=90)
            axis.set_yticks(np.arange(len(watched)) + 0.5, [""] * len(watched) if place else watched)
        write_svg(path, figure)


def _draw(axis: Axes, drifts: Sequence[Sequence[float]]) -> None:
    shades = SHADES(np.array(drifts))
    axis.pcolormesh(shades, cmap="RdBu", vmin=0, vmax=1, edgecolor="white", linewidth=0.3)
    axis.invert_yaxis()
    axis.tick_params(length=0)
    for row, column in np.argwhere(~np.isnan(drifts)):
        ink = "black" if 0.2 < shades[row, column] < 0.8 else "white"
        place = (column + 0.5, row + 0.5)
        axis.text(*place, _short(drifts[row][column]), ha="center", va="center", color=ink, fontsize=FONT - 1)


def _short(drift: float) -> str:
    """A number of four characters or so; what rounds to nothing has no sign."""
    text = f"{round(drift, 2) + 0.0:.2f}" if abs(drift) < 1 else f"{drift:.1f}"
    return text.replace("0.", ".", 1)
