"""The same cells as CSV, as Markdown for people and as LaTeX for a paper."""

import re
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from tabpo.reports.cells import Cell
from tabpo.reports.comparisons import Comparison
from tabpo.reports.meanings import printed_metric, printed_name, title

LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "±": r"$\pm$", "×": r"$\times$", "“": "``", "”": "''"}
    | {"†": r"$\dagger$", "▲": r"$\uparrow$", "▼": r"$\downarrow$", "–": "--"}
)
KEYS = {"dataset": "Data set", "model": "Model", "method": "Method"}
"""Columns that say what a row is of, and their headings in a paper."""

COLUMN_WIDTH, PAGE_WIDTH = 48, 105
"""Characters of \\footnotesize that fit a column, and both, of a two-column article."""

ROWS_OF_A_PAGE = 45

MARKDOWN_MARKS = {"better": " ▲", "worse": " ▼", "": ""}
LATEX_MARKS = {"better": r"$^{\uparrow}$", "worse": r"$^{\downarrow}$", "": ""}


def to_csv(cells: Sequence[Cell]) -> str:
    """Long form: one line a cell, in percent with six decimals; an empty cell has its reason."""
    rows = [
        {"dataset": cell.block.dataset, "model": cell.block.model}
        | {name: getattr(cell, name) for name in ("method", "metric", "seeds", "mean", "sd", "collapsed", "reason")}
        for cell in cells
    ]
    return _csv(pd.DataFrame(rows))


def to_markdown(cells: Sequence[Cell], *, layout: str, caption: str, notes: Sequence[str]) -> str:
    """The best in bold, ▲ and ▼ where a difference is significant, † collapsed runs."""
    return markdown_table(_frame(cells, layout, "–", title, _markdown), caption, notes)


def to_latex(
    cells: Sequence[Cell], *, layout: str, caption: str, notes: Sequence[str], label: str, names: Mapping[str, str]
) -> str:
    """Floats that need the packages booktabs, threeparttable and graphicx; marks are arrows."""
    frame = _frame(cells, layout, "--", printed_metric, _latex)
    return latex_table(frame, caption, notes, label=label, names=names)


def tests_csv(comparisons: Sequence[Comparison]) -> str:
    """All differences of a table with six decimals, one line each; docs/statistics.md says what the columns are."""
    return _csv(pd.DataFrame([_numbers(one) for one in comparisons], columns=list(_COLUMNS)))


def tests_markdown(comparisons: Sequence[Comparison], *, caption: str, notes: Sequence[str]) -> str:
    """The same for people, rounded."""
    return markdown_table(_tests_frame(comparisons, "–", title), caption, notes)


def tests_latex(
    comparisons: Sequence[Comparison], *, caption: str, notes: Sequence[str], label: str, names: Mapping[str, str]
) -> str:
    """The same for a paper's appendix."""
    frame = _tests_frame(comparisons, "--", printed_metric)
    texts = [column for column in frame.columns if column not in KEYS]
    frame = frame.assign(**{column: frame[column].map(escape) for column in texts})
    return latex_table(frame, caption, notes, label=label, names=names)


_COLUMNS = (
    *("dataset", "model", "method", "against", "metric", "seeds", "documents", "difference", "low", "high"),
    *("relative", "relative_low", "relative_high", "p", "p_holm", "family", "tests", "sd_seeds", "se_seeds"),
    *("se_documents", "smallest_detectable", "seeds_for_1_point", "detectable_with_any_seeds", "unit"),
)


def _numbers(one: Comparison) -> dict[str, object]:
    effect, relative = one.effect, one.relative
    low, high = effect.interval
    relative_low, relative_high = relative.interval if relative else (None, None)
    several, varied = effect.seeds > 1, effect.se > 0
    values = (
        *(one.block.dataset, one.block.model, one.method, one.against, one.metric),
        *(effect.seeds, effect.documents, effect.estimate, low, high),
        *(relative.estimate if relative else None, relative_low, relative_high),
        *(_exact(one.p), _exact(one.p_holm), one.family, one.tests, one.sd_seeds),
        *(effect.share_of("seeds") if several else None, effect.share_of("documents")),
        *((effect.detectable if several else None, effect.seeds_for(1.0)) if varied else (None, None)),
        effect.of_documents().detectable if varied else None,
        "nats" if one.metric.endswith("_margin") else "points",
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _tests_frame(comparisons: Sequence[Comparison], dash: str, heading: Callable[[str], str]) -> pd.DataFrame:
    return pd.DataFrame([_texts(one, _numbers(one), dash, heading) for one in comparisons])


def _texts(one: Comparison, numbers: Mapping, dash: str, heading: Callable[[str], str]) -> dict[str, str]:
    def shown(name: str, form: str) -> str:
        return dash if numbers[name] is None else format(numbers[name], form)

    digits = "z.1f" if one.effect.se >= 0.05 or one.effect.se == 0 else "z.2f"
    return {
        "dataset": one.block.dataset,
        "model": one.block.model,
        "method": one.method,
        "metric": heading(one.metric),
        "difference": f"{one.effect.estimate:+{digits}} [{numbers['low']:{digits}}, {numbers['high']:{digits}}]",
        "relative, %": shown("relative", "+z.1f"),
        "p": dash if one.p is None else printed_p(one.p),
        "p, Holm": dash if one.p_holm is None else printed_p(one.p_holm),
        "seeds": str(one.effect.seeds),
        "groups": str(one.effect.documents),
        "detectable": shown("smallest_detectable", ".1f"),
        "for 1 point": shown("seeds_for_1_point", "d"),
    }


def _exact(p: float | None) -> str | None:
    """Six digits, however small."""
    return None if p is None else f"{p:.6g}"


def printed_p(value: float) -> str:
    """Three digits."""
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0") if value < 0.9995 else "1"


def markdown_table(frame: pd.DataFrame, caption: str, notes: Sequence[str]) -> str:
    """A frame of texts whose first columns are the keys dataset, model, method, or some of them."""
    keys = len(_keys(frame))
    alignment = ["left"] * keys + ["right"] * (len(frame.columns) - keys)
    table = frame.to_markdown(index=False, disable_numparse=True, colalign=alignment) if len(frame) else "(none)"
    return "\n".join([f"**{caption}**", "", table, "", *(f"- {note}" for note in notes)]).rstrip() + "\n"


def latex_table(
    frame: pd.DataFrame, caption: str, notes: Sequence[str], *, label: str, names: Mapping[str, str]
) -> str:
    """The same as floats for an article of two columns, with notes below; texts other than keys are LaTeX already.

    A table that is too wide for a column takes both, one that is too wide for these is scaled, and one that is too long
    goes on in further floats of the same number. Data set and model stand in the first of their rows.
    """
    shown = frame.assign(**{key: [escape(printed_name(name, names)) for name in frame[key]] for key in _keys(frame)})
    width = sum(max(len(_plain(text)) for text in (column, *shown[column])) + 2 for column in shown.columns)
    firsts = range(0, max(len(shown), 1), ROWS_OF_A_PAGE)
    floats = []
    for first in firsts:
        number = [rf"\caption{{{escape(caption)}}}", rf"\label{{{label}}}"]
        if first:
            number = [r"\addtocounter{table}{-1}", rf"\caption{{{escape(caption)} (continued)}}"]
        rows = _tabular(shown.iloc[first : first + ROWS_OF_A_PAGE], fills_column=width <= COLUMN_WIDTH)
        below = [escape(note) for note in notes] if first == firsts[-1] else []
        floats.append(_scaled(number, rows, below) if width > PAGE_WIDTH else _float(width, number, rows, below))
    return "\n".join(floats)


def _float(width: int, number: list[str], rows: list[str], notes: list[str]) -> str:
    environment = "table" if width <= COLUMN_WIDTH else "table*"
    below = [r"\begin{tablenotes}[flushleft]", *(rf"\item {note}" for note in notes), r"\end{tablenotes}"]
    whole = [
        *(rf"\begin{{{environment}}}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{4pt}"),
        *(r"\begin{threeparttable}", *number, *rows, *(below if notes else [])),
        *(r"\end{threeparttable}", rf"\end{{{environment}}}"),
    ]
    return "\n".join(whole) + "\n"


def _scaled(number: list[str], rows: list[str], notes: list[str]) -> str:
    """threeparttable sets notes as wide as the rows, which are scaled here: notes are as wide as the page."""
    below = [r"\par\smallskip\raggedright", *(rf"{note}\par" for note in notes)]
    whole = [r"\begin{table*}", r"\footnotesize", *number, r"\resizebox{\textwidth}{!}{%", *rows, "}", *below]
    return "\n".join([*whole, r"\end{table*}"]) + "\n"


def _tabular(frame: pd.DataFrame, *, fills_column: bool) -> list[str]:
    """A rule between data sets and models, which are named once."""
    keys = len(_keys(frame))
    heads = [escape(KEYS.get(column, column)) for column in frame.columns]
    rows: list[str] = []
    before = None
    for record in frame.to_dict("records"):
        block = {key: record[key] for key in ("dataset", "model") if key in record}
        if rows and block != before:
            rows.append(r"\midrule")
        texts = record | dict.fromkeys(block, "") if block == before else record
        rows.append(" & ".join(texts.values()) + r" \\")
        before = block
    columns = "l" * keys + "r" * (len(frame.columns) - keys)
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    if fills_column:
        begin = rf"\begin{{tabular*}}{{\columnwidth}}{{@{{\extracolsep{{\fill}}}}{columns}}}"
        end = r"\end{tabular*}"
    return [
        begin,
        *(r"\toprule", " & ".join(heads) + r" \\", r"\midrule", *rows, r"\bottomrule"),
        end,
    ]


def _plain(text: str) -> str:
    """Text as wide as LaTeX sets it, more or less."""
    return re.sub(r"\\text\w+|\\[a-z]+|[\\${}^]", "", text)


def _keys(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column in KEYS]


def _frame(
    cells: Sequence[Cell], layout: str, dash: str, heading: Callable[[str], str], text: Callable[[Cell], str]
) -> pd.DataFrame:
    """Rows are methods; columns are metrics (layout "main") or dataset x model ("per_metric"); a dash for no cell."""
    one_block = len({cell.block for cell in cells}) == 1
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        block = {"dataset": cell.block.dataset, "model": cell.block.model}
        if layout == "per_metric":
            key, column = {"method": cell.method}, cell.block.name
        else:
            key, column = ({} if one_block else block) | {"method": cell.method}, heading(cell.metric)
        rows.setdefault(tuple(key.values()), dict(key))[column] = text(cell)
    return pd.DataFrame(list(rows.values())).fillna(dash)


def _markdown(cell: Cell) -> str:
    if cell.mean is None:
        return "–"
    text = _number(cell, " ± ")
    return (f"**{text}**" if cell.best else text) + MARKDOWN_MARKS[cell.mark] + ("†" if cell.collapsed else "")


def _latex(cell: Cell) -> str:
    if cell.mean is None:
        return "--"
    text = _number(cell, r" $\pm$ ")
    text = rf"\textbf{{{text}}}" if cell.best else text
    return text + LATEX_MARKS[cell.mark] + (r"$^{\dagger}$" if cell.collapsed else "")


def _number(cell: Cell, plus_minus: str) -> str:
    return f"{cell.mean:z.1f}" if cell.sd is None else f"{cell.mean:z.1f}{plus_minus}{cell.sd:.1f}"


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def escape(text: str) -> str:
    """Text as LaTeX shows it."""
    return text.translate(LATEX_SPECIAL)
