"""Draw the training of all methods as lines over steps: how each loss changes both answers of its pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tabpo.records import TrainingStep
from tabpo.reports.style import COLUMN, FONT, SMALL_TEXT, line_styles, write_svg

CAPTION = (
    "What each loss does over the steps of training. A line is the mean over seeds, and a point also the mean over"
    " about a twentieth of the steps; the band reaches from the lowest to the highest seed. Log-probs are sums over"
    " the tokens of an answer. Drift is the change of the log-prob of a chosen token since SFT, for tokens that the"
    " rejected answer lacks (edited) and for those that it shares. The gradient on edited tokens is their share in"
    " the L1 norm of the loss's gradient over logits. The gate rate is the share of chosen tokens below the method's"
    " tau, or below 0.9 if it has no tau. Margins are in each loss's own rewards, so compare their signs and trends"
    " and not their sizes. A margin of 0 counts half in the accuracy."
)

PANELS = {
    "chosen_drift": "Drift of chosen, nats",
    "rejected_drift": "Drift of rejected, nats",
    "drift_edited": "Drift of edited tokens, nats",
    "drift_shared": "Drift of shared tokens, nats",
    "share_edited": "Gradient on edited tokens",
    "gate_rate": "Gate rate, share of tokens",
    "margin": "Margin, own rewards",
    "accuracy": "Accuracy, share of pairs",
}
"""The drawn quantities of `TrainingStep` and their titles; drift of tokens and gate rate are of the chosen answer."""

POINTS = 20
"""The largest number of points of a line. Each is a mean over consecutive steps, since every step has other pairs."""

Logs = Mapping[str, Sequence[Sequence[TrainingStep]]]
"""The logged steps of each method, one run for each seed."""


@dataclass(frozen=True)
class Line:
    """One quantity of one method over the steps; every array is (points,).

    A point is NaN if any seed has no value there, so that every mean is over all seeds.

    Attributes:
        steps: The middle of the steps that each point covers.
        mean: The mean over seeds.
        low: The lowest value of a seed.
        high: The highest value of a seed.
    """

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def training_lines(logs: Logs, quantity: str) -> dict[str, Line]:
    """The line of each method that has logged the quantity; the points of all lines cover the same steps.

    The mean of a point leaves out steps without a value. A run that was stopped has no values after its last step.
    """
    longest = max(len(run) for runs in logs.values() for run in runs)
    size = math.ceil(longest / POINTS)
    starts = range(0, longest, size)
    middles = np.array([(start + 1 + min(start + size, longest)) / 2 for start in starts])
    lines = {}
    for method, runs in logs.items():
        values = [[getattr(step, quantity) for step in run] for run in runs]
        seeds = np.array([[_mean(run[start : start + size]) for start in starts] for run in values])
        if not np.isnan(seeds).all():
            lines[method] = Line(middles, seeds.mean(axis=0), seeds.min(axis=0), seeds.max(axis=0))
    return lines


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return fmean(known) if known else math.nan


def write_training_figure(path: Path, logs: Logs, title: str) -> None:
    """Write an SVG with a panel for each logged quantity, a line for each method and one legend below.

    With several seeds, a band around the line goes from the lowest to the highest seed. Equal logs give equal bytes.
    """
    lines = {name: training_lines(logs, name) for name in PANELS}
    drawn = {name: by_method for name, by_method in lines.items() if by_method}
    styles = line_styles(logs)
    rows, columns = math.ceil(len(drawn) / 2), max(1, int(COLUMN / (0.45 + 0.05 * max(map(len, logs)))))
    height = 0.5 + 1.1 * rows + 0.115 * math.ceil(len(logs) / columns)
    with matplotlib.rc_context(SMALL_TEXT):
        figure = Figure(figsize=(COLUMN, height), layout="constrained")
        figure.suptitle(title, fontsize=FONT + 1)
        for place, (name, by_method) in enumerate(drawn.items(), 1):
            below = "step" if place > len(drawn) - 2 else ""
            _draw(figure.add_subplot(rows, 2, place, title=PANELS[name], xlabel=below), by_method, styles)
        handles = [Line2D([], [], label=method, linewidth=1, **style) for method, style in styles.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, handlelength=2.6)
        write_svg(path, figure)


def _draw(axis: Axes, lines: Mapping[str, Line], styles: Mapping[str, dict[str, Any]]) -> None:
    for method, line in lines.items():
        axis.plot(line.steps, line.mean, linewidth=0.9, **styles[method])
        shade = {"color": styles[method]["color"], "alpha": min(0.15, 0.6 / len(lines)), "linewidth": 0}
        axis.fill_between(line.steps, line.low, line.high, **shade)
