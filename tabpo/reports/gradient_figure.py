"""Draw which tokens of one pair each loss moves at its first step, and how much: the gradient by log-prob."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tabpo.reports.style import COLUMN, FONT, SMALL_TEXT, write_svg

CAPTION = (
    "Which tokens each loss looks at before training has moved anything: the derivative of the loss by the log-prob"
    " of each token, with the opposite sign. A step makes blue tokens likelier and red ones less likely. Each row is"
    " scaled to its largest value, which stands beside the method. Tokens in bold are those that the other answer"
    " lacks. Up to the first of them both answers are in the same states, and opposite colours of a token cancel"
    " there; after it they do not, although most tokens are the same. The pair differs in a label and is the one,"
    " among short ones, whose chosen answer has the token that the SFT model finds least likely. Losses that need"
    " hidden states, anchors, importances, a learnt baseline or the log-probs of other runs are not drawn."
)

CELL, ROW = 0.115, 0.12
"""The width and height of a cell, in inches."""

LONGEST = 18
"""The largest number of characters that are shown of a token."""

Gradients = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""For each method the derivatives on the tokens of the chosen and of the rejected answer."""


def write_gradient_figure(
    path: Path,
    tokens: tuple[Sequence[str], Sequence[str]],
    differs: tuple[Sequence[bool], Sequence[bool]],
    gradients: Gradients,
    title: str,
) -> None:
    """Write an SVG with a heat map for the chosen and one for the rejected answer: methods are rows, tokens columns.

    Args:
        path: The SVG.
        tokens: The texts of the tokens of both answers.
        differs: For each token whether the other answer lacks it.
        gradients: At least one method.
        title: The title of the figure.
    """
    columns = max(map(len, tokens))
    size = (max(COLUMN, CELL * columns + 1.1), 2 * (ROW * len(gradients) + 1.05) + 0.2)
    with matplotlib.rc_context({**SMALL_TEXT, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title, fontsize=FONT + 1)
        for place, side in enumerate(("chosen", "rejected")):
            axis = figure.add_subplot(2, 1, place + 1, title=f"tokens of the {side} answer")
            _draw(axis, gradients, place, tokens[place], differs[place])
            axis.set_xlim(0, columns)
        write_svg(path, figure)


def _draw(axis: Axes, gradients: Gradients, side: int, tokens: Sequence[str], differs: Sequence[bool]) -> None:
    largest = {name: max(abs(value) for values in both for value in values) for name, both in gradients.items()}
    push = [-np.array(both[side]) / (largest[name] or 1) for name, both in gradients.items()]
    axis.pcolormesh(np.array(push), cmap="RdBu", vmin=-1, vmax=1, edgecolor="white", linewidth=0.3)
    axis.invert_yaxis()
    axis.tick_params(length=0)
    axis.set_yticks(np.arange(len(push)) + 0.5, [f"{name}  {largest[name]:.2g}" for name in gradients])
    axis.set_xticks(np.arange(len(tokens)) + 0.5, map(_visible, tokens), rotation=90)
    for label, different in zip(axis.get_xticklabels(), differs, strict=True):
        label.set_fontweight("bold" if different else "normal")
    axis.spines[:].set_visible(False)


def _visible(token: str) -> str:
    shown = token.replace(" ", "·").replace("\n", "⏎") or "∅"
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
