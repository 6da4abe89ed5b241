"""The same cells as CSV, as Markdown for people and as LaTeX for a paper."""

from collections.abc import Callable, Sequence

import pandas as pd

from tabpo.metrics.meanings import title
from tabpo.tables import Cell

LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    | {"†": r"$\dagger$"}
)


def to_csv(cells: Sequence[Cell]) -> str:
    """One line a cell, in percent with six decimals; an empty cell has its reason."""
    columns = ["dataset", "model", "method", "metric", "mean", "sd", "seeds"]
    columns += ["difference", "low", "high", "reason", "collapsed"]
    frame = pd.DataFrame([{name: getattr(cell, name) for name in columns} for cell in cells], columns=columns)
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def to_markdown(cells: Sequence[Cell], *, layout: str, caption: str, notes: Sequence[str], marks: bool) -> str:
    """Best in bold, second underlined, `*` where the difference to the baseline is significant, † collapsed runs."""
    return markdown_table(_frame(cells, layout, "–", lambda cell: _markdown(cell, marks)), caption, notes)


def to_latex(cells: Sequence[Cell], *, layout: str, caption: str, notes: Sequence[str], marks: bool) -> str:
    """A `table` that needs the package booktabs; marks as in Markdown."""
    return latex_table(_frame(cells, layout, "--", lambda cell: _latex(cell, marks)), caption, notes)


def markdown_table(frame: pd.DataFrame, caption: str, notes: Sequence[str]) -> str:
    """A frame of texts whose first columns are the keys dataset, model, method, or some of them."""
    keys = len(_keys(frame))
    alignment = ["left"] * keys + ["right"] * (len(frame.columns) - keys)
    table = frame.to_markdown(index=False, disable_numparse=True, colalign=alignment)
    return "\n".join([f"**{caption}**", "", table, "", *(f"- {note}" for note in notes)]).rstrip() + "\n"


def latex_table(frame: pd.DataFrame, caption: str, notes: Sequence[str]) -> str:
    """The same for booktabs; texts other than keys are LaTeX already."""
    keys = _keys(frame)
    frame = frame.assign(**{key: frame[key].map(_escape) for key in keys})
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escape(' '.join([caption, *notes]))}}}",
        rf"\begin{{tabular}}{{{'l' * len(keys)}{'r' * (len(frame.columns) - len(keys))}}}",
        r"\toprule",
        " & ".join(map(_escape, frame.columns)) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in frame.itertuples(index=False)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _keys(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column in ("dataset", "model", "method")]


def _frame(cells: Sequence[Cell], layout: str, dash: str, text: Callable[[Cell], str]) -> pd.DataFrame:
    """Rows are methods; columns are metrics (layout "main") or dataset x model ("per_metric"); a dash for no cell."""
    one_block = len({(cell.dataset, cell.model) for cell in cells}) == 1
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        if layout == "per_metric":
            key, column = {"method": cell.method}, f"{cell.dataset} / {cell.model}"
        else:
            block = {} if one_block else {"dataset": cell.dataset, "model": cell.model}
            key, column = block | {"method": cell.method}, title(cell.metric)
        rows.setdefault(tuple(key.values()), dict(key))[column] = text(cell)
    return pd.DataFrame(list(rows.values())).fillna(dash)


def _markdown(cell: Cell, marks: bool) -> str:
    if cell.mean is None:
        return "–"
    text = _number(cell, " ± ")
    if marks and cell.rank:
        text = f"**{text}**" if cell.rank == 1 else f"<u>{text}</u>"
    return text + (r"\*" if marks and cell.significant else "") + ("†" if cell.collapsed else "")


def _latex(cell: Cell, marks: bool) -> str:
    if cell.mean is None:
        return "--"
    text = _number(cell, r" $\pm$ ")
    if marks and cell.rank:
        text = rf"\textbf{{{text}}}" if cell.rank == 1 else rf"\underline{{{text}}}"
    return text + (r"$^{*}$" if marks and cell.significant else "") + (r"$^{\dagger}$" if cell.collapsed else "")


def _number(cell: Cell, plus_minus: str) -> str:
    return f"{cell.mean:z.1f}" if cell.sd is None else f"{cell.mean:z.1f}{plus_minus}{cell.sd:.1f}"


def _escape(text: str) -> str:
    return text.translate(LATEX_SPECIAL)
