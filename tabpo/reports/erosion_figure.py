"""Draw token erosion as heat maps: how far training has moved the log-probs of held-out gold tokens."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from tabpo.reports.style import FONT, SMALL_TEXT, write_svg

CAPTION = (
    "Which tokens of held-out gold answers a loss makes less likely: the change of their log-prob from before the"
    " first to after the last step of training, in nats per token. Blue tokens gained, red ones lost. The three maps"
    " group the same tokens: by the part of the answer that they belong to, by the number of training records with"
    " the label of the token's record, and by the token's probability before training. The number in brackets is that"
    " of a class's tokens. A number is the mean over seeds, and below it stands the standard deviation over seeds."
)

CLASSES = {
    "field": ("scaffolding", "label", "sublabel", "span", "link", "id"),
    "frequency": ("0", "1-9", "10-99", "100-999", "1000-"),
    "confidence": ("0-0.5", "0.5-0.9", "0.9-0.99", "0.99-1"),
}
"""The classes of tokens in `erosion` of a run's `watch.json` that are drawn. Only tokens of labels have a frequency."""

TITLES = {"field": "Field", "frequency": "Frequency", "confidence": "First prob."}

SHADES = SymLogNorm(linthresh=0.1, vmin=-1, vmax=1, base=10)
"""The colour scale of all figures: white at 0, about half intensity at 0.1 nats, full from 1 nat on."""

CELL, ROW, LINE = 0.24, 0.14, 0.08
"""The width and height of a cell, and the height of a second line in it, in inches."""

Watched = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
"""The rows `erosion` of each method, one run for each seed."""


def erosion(watched: Watched, by: str) -> dict[str, dict[str, float]]:
    """The change of log-prob from step 0 to the last step in nats, by method and class of tokens: the mean over seeds.

    The value of a seed is the mean over all tokens of the class. A class is left out if a seed has no tokens of it.

    Args:
        watched: The rows of all runs.
        by: The kind of class, a key of `CLASSES`.
    """
    return {
        method: {name: fmean(values) for name, values in _by_class(runs, by).items()}
        for method, runs in watched.items()
    }


def spread(watched: Watched, by: str) -> dict[str, dict[str, float]]:
    """The sample standard deviation over seeds of each value of `erosion`; NaN for a single seed."""
    return {
        method: {name: stdev(values) if len(values) > 1 else math.nan for name, values in _by_class(runs, by).items()}
        for method, runs in watched.items()
    }


def token_counts(watched: Watched, by: str) -> dict[str, int]:
    """The number of held-out gold tokens of each class, rounded: the mean over all runs.

    Args:
        watched: The rows of all runs.
        by: The kind of class, a key of `CLASSES`.
    """
    lasts = [[row for row in rows if row["step"] == rows[-1]["step"]] for runs in watched.values() for rows in runs]
    return {
        name: round(fmean(sum(row["tokens"] for row in last if row[by] == name) for last in lasts))
        for name in CLASSES[by]
    }


def _of_run(rows: Sequence[Mapping[str, Any]], by: str) -> dict[str, float]:
    last = [row for row in rows if row["step"] == rows[-1]["step"]]
    drifts = {}
    for name in CLASSES[by]:
        of_class = [row for row in last if row[by] == name]
        tokens = sum(row["tokens"] for row in of_class)
        if tokens:
            drifts[name] = sum(row["tokens"] * row["drift"] for row in of_class) / tokens
    return drifts


def _by_class(runs: Sequence[Sequence[Mapping[str, Any]]], by: str) -> dict[str, list[float]]:
    """The values of all seeds of each class that no seed lacks."""
    seeds = [_of_run(rows, by) for rows in runs]
    return {name: [seed[name] for seed in seeds] for name in seeds[0] if all(name in seed for seed in seeds)}


def write_erosion_figure(path: Path, watched: Watched, title: str) -> None:
    """Write an SVG with a heat map for each kind of class: methods are rows, classes of tokens are columns.

    A class that no method has gets no column. With several seeds a cell has their standard deviation too. Equal rows
    give equal bytes.
    """
    maps = {by: erosion(watched, by) for by in CLASSES}
    columns = {by: [name for name in CLASSES[by] if any(name in row for row in maps[by].values())] for by in CLASSES}
    drawn = [by for by in CLASSES if columns[by]]
    widths = [len(columns[by]) for by in drawn]
    row = ROW + LINE * any(len(runs) > 1 for runs in watched.values())
    size = (CELL * sum(widths) + 0.05 * max(map(len, watched)) + 0.2, row * len(watched) + 1.2)
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(f"{title}\nlog-prob of held-out gold tokens, change in nats", fontsize=FONT + 1)
        grid = figure.add_gridspec(1, max(1, len(drawn)), width_ratios=widths or [1])
        for place, by in enumerate(drawn):
            axis = figure.add_subplot(grid[place], title=TITLES[by])
            drifts, spreads = (
                [[row.get(name, math.nan) for name in columns[by]] for row in values.values()]
                for values in (maps[by], spread(watched, by))
            )
            _draw(axis, drifts, spreads)
            counts = token_counts(watched, by)
            heads = [f"{name} ({counts[name]})" for name in columns[by]]
            axis.set_xticks(np.arange(len(heads)) + 0.5, heads, rotation=90)
            axis.set_yticks(np.arange(len(watched)) + 0.5, [""] * len(watched) if place else watched)
        write_svg(path, figure)


def _draw(axis: Axes, drifts: Sequence[Sequence[float]], spreads: Sequence[Sequence[float]]) -> None:
    shades = SHADES(np.array(drifts))
    axis.pcolormesh(shades, cmap="RdBu", vmin=0, vmax=1, edgecolor="white", linewidth=0.3)
    axis.invert_yaxis()
    axis.tick_params(length=0)
    for row, column in np.argwhere(~np.isnan(drifts)):
        ink = "black" if 0.2 < shades[row, column] < 0.8 else "white"
        place = (column + 0.5, row + 0.5)
        deviation = spreads[row][column]
        text = _short(drifts[row][column]) + ("" if math.isnan(deviation) else f"\n±{_short(deviation)}")
        axis.text(*place, text, ha="center", va="center", color=ink, fontsize=FONT - 1, linespacing=0.9)


def _short(drift: float) -> str:
    """A number of about four characters; a value that rounds to 0 has no sign."""
    text = f"{round(drift, 2) + 0.0:.2f}" if abs(drift) < 1 else f"{drift:.1f}"
    return text.replace("0.", ".", 1)
