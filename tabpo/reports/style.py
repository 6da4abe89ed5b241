"""How figures are written; and for those of all methods, the size of their text and what tells lines apart."""

from collections.abc import Iterable
from itertools import cycle, product
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from tabpo.artefacts import whole_file

COLUMN = 3.4
"""Width of a column of a paper, inches."""

FONT = 6
"""Size of text in a figure that fits into a column, points."""

SMALL_TEXT = {
    **{"font.size": FONT, "axes.titlesize": FONT, "axes.titlepad": 3, "axes.linewidth": 0.5},
    **{f"{axis}tick.{what}": size for axis in "xy" for what, size in (("major.size", 2), ("major.width", 0.5))},
    **{f"{axis}tick.major.pad": 1.5 for axis in "xy"},
}
"""Settings of matplotlib for such a figure."""

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (9, 2)))

COLOURS = matplotlib.color_sequences["petroff8"]
"""Chosen so that colour-blind readers tell them apart too (arXiv 2107.02270)."""


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes for each name in order: every colour solid first, then every one dashed; 40 are different."""
    styles = cycle(product(DASHES, COLOURS))
    return {name: {"color": colour, "linestyle": dashes} for name, (dashes, colour) in zip(names, styles, strict=False)}


def write_svg(path: Path, figure: Figure) -> None:
    """Write a figure, whole or not at all; the same figure gives the same bytes."""
    with matplotlib.rc_context({"svg.hashsalt": "tabpo"}), whole_file(path) as partial:
        figure.savefig(partial, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
