"""Write figures as SVG, and set the text sizes and line styles that figures of all methods share."""

from collections.abc import Iterable
from itertools import cycle, product
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from tabpo.artefacts import whole_file

COLUMN = 3.4
"""The width of a column of a paper, in inches."""

PAGE, PAGE_HEIGHT = 7.0, 9.0
"""The width and the height of the text on a page of a paper, in inches."""

FONT = 6
"""The text size of a figure in a column of a paper, in points."""

SMALL_TEXT = {
    **{"font.size": FONT, "axes.titlesize": FONT, "axes.titlepad": 3, "axes.linewidth": 0.5},
    **{f"{axis}tick.{what}": size for axis in "xy" for what, size in (("major.size", 2), ("major.width", 0.5))},
    **{f"{axis}tick.major.pad": 1.5 for axis in "xy"},
}
"""Settings of matplotlib for a figure in a column of a paper."""

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (9, 2)), (0, (1, 3)))

COLOURS = matplotlib.color_sequences["petroff8"]
"""Eight colours that colour-blind readers can also distinguish (arXiv 2107.02270)."""


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour and a dash pattern for each name, in order: first all colours solid, then dashed; 48 differ."""
    styles = cycle(product(DASHES, COLOURS))
    return {name: {"color": colour, "linestyle": dashes} for name, (dashes, colour) in zip(names, styles, strict=False)}


def write_svg(path: Path, figure: Figure) -> None:
    """Write a figure completely or not at all; equal figures give equal bytes."""
    with matplotlib.rc_context({"svg.hashsalt": "tabpo"}), whole_file(path) as partial:
        figure.savefig(partial, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
