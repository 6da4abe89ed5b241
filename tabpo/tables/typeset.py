"""Write the cells and differences of a table as CSV, as Markdown for people and as LaTeX for a paper."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, takewhile

import pandas as pd

from tabpo.tables.cells import NOT_AVAILABLE, Cell
from tabpo.tables.comparisons import Comparison
from tabpo.tables.meanings import digits, printed_metric, printed_name, title, unit

LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "±": r"$\pm$", "×": r"$\times$", "“": "``", "”": "''"}
    | {"†": r"$\dagger$", "▲": r"$\uparrow$", "▼": r"$\downarrow$", "–": "--"}
)
KEYS = {"claim": "Claim", "dataset": "Data set", "model": "Model", "label": "Label", "method": "Method"}
"""The columns that identify a row, and their headings in a paper."""

COLUMN_WIDTH, PAGE_WIDTH = 48, 105
"""How many characters of \\footnotesize fit into one column, and into both columns, of a two-column article."""

ROWS_OF_A_PAGE = 45

_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")
"""The sign of a negative number, which LaTeX would set as a hyphen; in names and in 1e-5 it is none."""

SIDE = " / "
"""What stands between data set and metric in the head of a column of data sets side by side."""

About = Mapping[str, str]
"""A text for each method of a further column."""

NOTHING: Mapping[str, About] = {}

MARKDOWN_MARKS = {"better": " ▲", "worse": " ▼", "": ""}
LATEX_MARKS = {"better": r"$^{\uparrow}$", "worse": r"$^{\downarrow}$", "": ""}


def to_csv(cells: Sequence[Cell]) -> str:
    """The cells in long form as text, with six decimals."""
    return csv_text(long_form(cells))


def long_form(cells: Sequence[Cell]) -> pd.DataFrame:
    """A line for each cell, in percent; an empty cell has a reason.

    `by_seed` has the value of each seed, and `runs` the folders of the runs, both with blanks between.
    """
    rows = [
        {"dataset": cell.block.dataset, "model": cell.block.model}
        | {name: getattr(cell, name) for name in ("method", "metric", "seeds", "mean", "sd", "collapsed", "reason")}
        | {"by_seed": " ".join(f"{value:.6f}" for value in cell.by_seed), "runs": " ".join(cell.runs)}
        for cell in cells
    ]
    return pd.DataFrame(rows)


def to_markdown(
    cells: Sequence[Cell], *, layout: str, caption: str, notes: Sequence[str], about: Mapping[str, About] = NOTHING
) -> str:
    """A table for people: the best cells are bold, ▲ and ▼ mark significant differences, † marks collapsed runs.

    Args:
        cells: All cells.
        layout: As `_frame` describes.
        caption: Plain text.
        notes: Plain texts.
        about: Further columns after the methods' names, each with a text for some methods.
    """
    return markdown_table(_frame(cells, layout, "–", title, markdown_cell, about), caption, notes)


def to_latex(
    cells: Sequence[Cell],
    *,
    layout: str,
    caption: str,
    notes: Sequence[str],
    label: str,
    names: Mapping[str, str],
    about: Mapping[str, About] = NOTHING,
) -> str:
    """LaTeX floats, which need the packages booktabs, threeparttable and graphicx; marks are arrows."""
    escaped = {column: {row: escape(text) for row, text in texts.items()} for column, texts in about.items()}
    frame = _frame(cells, layout, "--", printed_metric, latex_cell, escaped)
    return latex_table(frame, caption, notes, label=label, names=names, grouped=layout == "side_by_side")


def tests_csv(comparisons: Sequence[Comparison]) -> str:
    """All differences of a table, one line each, with six decimals; docs/statistics.md explains the columns."""
    return csv_text(pd.DataFrame([_numbers(comparison) for comparison in comparisons], columns=list(_COLUMNS)))


def tests_markdown(comparisons: Sequence[Comparison], *, caption: str, notes: Sequence[str]) -> str:
    """The differences of a table for people, rounded."""
    return markdown_table(_tests_frame(comparisons, "–", title), caption, notes)


def tests_latex(
    comparisons: Sequence[Comparison], *, caption: str, notes: Sequence[str], label: str, names: Mapping[str, str]
) -> str:
    """The differences of a table for the appendix of a paper, rounded."""
    frame = _tests_frame(comparisons, "--", printed_metric)
    texts = [column for column in frame.columns if column not in KEYS]
    frame = frame.assign(**{column: frame[column].map(escape) for column in texts})
    frame = frame.rename(columns={column: column.capitalize() for column in texts if not column.startswith("p")})
    return latex_table(frame, caption, notes, label=label, names=names)


_COLUMNS = (
    *("dataset", "model", "method", "against", "metric", "seeds", "documents", "difference", "low", "high"),
    *("relative", "relative_low", "relative_high", "p", "p_holm", "family", "tests", "sd_seeds", "se_seeds"),
    *("se_documents", "smallest_detectable", "seeds_for_1_point", "detectable_with_any_seeds", "unit"),
)


def _numbers(comparison: Comparison) -> dict[str, object]:
    effect, relative = comparison.effect, comparison.relative
    low, high = effect.interval
    relative_low, relative_high = relative.interval if relative else (None, None)
    several, varied = effect.seeds > 1, effect.se > 0
    values = (
        *(comparison.block.dataset, comparison.block.model, comparison.method, comparison.against, comparison.metric),
        *(effect.seeds, effect.documents, effect.estimate, low, high),
        *(relative.estimate if relative else None, relative_low, relative_high),
        *(_exact(comparison.p), _exact(comparison.p_holm), comparison.family, comparison.tests, comparison.sd_seeds),
        *(effect.share_of("seeds") if several else None, effect.share_of("documents")),
        *((effect.detectable if several else None, effect.seeds_for(1.0)) if varied else (None, None)),
        effect.of_documents().detectable if varied else None,
        unit(comparison.metric),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _tests_frame(comparisons: Sequence[Comparison], dash: str, heading: Callable[[str], str]) -> pd.DataFrame:
    frame = pd.DataFrame([_texts(comparison, _numbers(comparison), dash, heading) for comparison in comparisons])
    several = len({comparison.against for comparison in comparisons}) > 1
    return frame if several or frame.empty else frame.drop(columns="against")  # the caption names it


def _texts(comparison: Comparison, numbers: Mapping, dash: str, heading: Callable[[str], str]) -> dict[str, str]:
    def shown(name: str, form: str) -> str:
        return dash if numbers[name] is None else format(numbers[name], form)

    wide = digits(comparison.metric) == 1 and (comparison.effect.se >= 0.05 or comparison.effect.se == 0)
    form = "z.1f" if wide else "z.2f"
    return {
        "dataset": comparison.block.dataset,
        "model": comparison.block.model,
        "method": comparison.method,
        "against": comparison.against,
        "metric": heading(comparison.metric),
        "difference": f"{comparison.effect.estimate:+{form}} [{numbers['low']:{form}}, {numbers['high']:{form}}]",
        "relative, %": shown("relative", "+z.1f"),
        "p": dash if comparison.p is None else printed_p(comparison.p),
        "p, Holm": dash if comparison.p_holm is None else printed_p(comparison.p_holm),
        "seeds": str(comparison.effect.seeds),
        "groups": str(comparison.effect.documents),
        "detectable": shown("smallest_detectable", f".{digits(comparison.metric)}f"),
        "for 1 point": shown("seeds_for_1_point", "d"),
    }


def _exact(p: float | None) -> str | None:
    """p with six significant digits, also if it is tiny."""
    return None if p is None else f"{p:.6g}"


def printed_p(value: float) -> str:
    """p with three decimals and without the leading zero, "< .001" if it is smaller."""
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0") if value < 0.9995 else "1"


def markdown_table(frame: pd.DataFrame, caption: str, notes: Sequence[str]) -> str:
    """A Markdown table with caption and notes, from a frame of texts whose first columns are in `KEYS`."""
    keys = len(_keys(frame))
    alignment = ["left"] * keys + ["right"] * (len(frame.columns) - keys)
    table = frame.to_markdown(index=False, disable_numparse=True, colalign=alignment) if len(frame) else "(none)"
    return "\n".join([f"**{caption}**", "", table, "", *(f"- {note}" for note in notes)]).rstrip() + "\n"


def latex_table(
    frame: pd.DataFrame,
    caption: str,
    notes: Sequence[str],
    *,
    label: str,
    names: Mapping[str, str],
    grouped: bool = False,
) -> str:
    """LaTeX floats for a two-column article, with the notes below the last one.

    A table that is too wide for one column takes both; one that is too wide for both is scaled down. A long table
    continues in further floats with the same number. Data set and model are printed only in the first of their rows.

    Args:
        frame: Texts, whose first columns are in `KEYS`. All other columns are LaTeX already.
        caption: Plain text.
        notes: Plain texts.
        label: The LaTeX label.
        names: The study's printed names.
        grouped: Whether columns are named `data set / head`; then the name of each data set is printed above its heads.
    """
    shown = frame.assign(**{key: [escape(printed_name(name, names)) for name in frame[key]] for key in _keys(frame)})
    heads = [column.partition(SIDE)[2] if grouped and SIDE in column else column for column in shown.columns]
    width = sum(
        max(len(_plain(text)) for text in (head, *shown[column])) + 2
        for head, column in zip(heads, shown.columns, strict=True)
    )
    above = _groups(list(shown.columns), names) if grouped else []
    firsts = range(0, max(len(shown), 1), ROWS_OF_A_PAGE)
    floats = []
    for first in firsts:
        number = [rf"\caption{{{_printed(caption, names)}}}", rf"\label{{{label}}}"]
        if first:
            number = [r"\addtocounter{table}{-1}", rf"\caption{{{_printed(caption, names)} (continued)}}"]
        rows = _tabular(shown.iloc[first : first + ROWS_OF_A_PAGE], above, heads, fills_column=width <= COLUMN_WIDTH)
        below = [_printed(note, names) for note in notes] if first == firsts[-1] else []
        floats.append(_scaled(number, rows, below) if width > PAGE_WIDTH else _float(width, number, rows, below))
    return "\n".join(floats)


def _printed(text: str, names: Mapping[str, str]) -> str:
    """A caption or a note as LaTeX; names between backticks are printed as in rows."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(escape(printed_name(part, names) if place % 2 else part) for place, part in enumerate(parts))


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
    """A float scaled to the width of the page, with notes of that width; a threeparttable would set them wider."""
    below = [r"\par\smallskip\raggedright", *(rf"{note}\par" for note in notes)]
    whole = [r"\begin{table*}", r"\footnotesize", *number, r"\resizebox{\textwidth}{!}{%", *rows, "}", *below]
    return "\n".join([*whole, r"\end{table*}"]) + "\n"


def _groups(columns: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """A line with the name of each data set over its columns, and a rule below each name."""
    cells, rules, place = [], [], 1
    for dataset, members in groupby(columns, key=lambda column: column.partition(SIDE)[0] if SIDE in column else ""):
        count = len(list(members))
        name = escape(printed_name(dataset, names))
        cells += [rf"\multicolumn{{{count}}}{{c}}{{{name}}}"] if dataset else [""] * count
        rules += [rf"\cmidrule(lr){{{place}-{place + count - 1}}}"] if dataset else []
        place += count
    return [" & ".join(cells) + r" \\", "".join(rules)]


def _tabular(frame: pd.DataFrame, above: Sequence[str], heads: Sequence[str], *, fills_column: bool) -> list[str]:
    """The tabular, with a rule before each new data set or model; names of these and of labels are printed once."""
    keys = len(_keys(frame))
    titles = [escape(KEYS.get(head, head)) for head in heads]
    rows: list[str] = []
    before: dict[str, str] = {}
    for record in frame.to_dict("records"):
        repeated = dict.fromkeys(_repeated(record, before), "")
        if rows and not {"dataset", "model"} & set(record) <= set(repeated):
            rows.append(r"\midrule")
        rows.append(_MINUS.sub("$-$", " & ".join((record | repeated).values())) + r" \\")
        before = record
    columns = "l" * keys + "r" * (len(frame.columns) - keys)
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    if fills_column:
        begin = rf"\begin{{tabular*}}{{\columnwidth}}{{@{{\extracolsep{{\fill}}}}{columns}}}"
        end = r"\end{tabular*}"
    return [
        begin,
        *(r"\toprule", *above, " & ".join(titles) + r" \\", r"\midrule", *rows, r"\bottomrule"),
        end,
    ]


def _repeated(record: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """The data set, model and label of a row, as far as they are those of the row before."""
    keys = [key for key in ("dataset", "model", "label") if key in record]
    return list(takewhile(lambda key: record[key] == before.get(key), keys))


def _plain(text: str) -> str:
    """The text without LaTeX commands, about as wide as LaTeX sets it."""
    return re.sub(r"\\text\w+|\\[a-z]+|[\\${}^]", "", text)


def _keys(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column in KEYS]


def _frame(
    cells: Sequence[Cell],
    layout: str,
    dash: str,
    heading: Callable[[str], str],
    text: Callable[[Cell], str],
    about: Mapping[str, About],
) -> pd.DataFrame:
    """Rows are methods, of each block or model where there are several; a missing cell is a dash.

    Columns are blocks (layout "per_metric"), metrics of each data set ("side_by_side"), or metrics (all others).
    """
    one_block = len({cell.block for cell in cells}) == 1
    one_model = len({cell.block.model for cell in cells}) == 1
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        block = {"dataset": cell.block.dataset, "model": cell.block.model}
        if layout == "per_metric":
            key, column = {}, cell.block.name
        elif layout == "side_by_side":
            key = {} if one_model else {"model": cell.block.model}
            column = f"{cell.block.dataset}{SIDE}{heading(cell.metric)}"
        else:
            key, column = {} if one_block else block, heading(cell.metric)
        key |= {"method": cell.method}
        further = {name: texts.get(cell.method, dash) for name, texts in about.items()}
        rows.setdefault(tuple(key.values()), key | further)[column] = text(cell)
    return pd.DataFrame(list(rows.values())).fillna(dash)


def markdown_cell(cell: Cell) -> str:
    """A cell as Markdown: bold if it is the best, then its mark, then † if runs collapsed."""
    if cell.mean is None:
        return cell.reason if cell.reason.startswith(NOT_AVAILABLE) else "–"
    text = printed_number(cell.mean, cell.sd, places=digits(cell.metric))
    return (f"**{text}**" if cell.best else text) + MARKDOWN_MARKS[cell.mark] + ("†" if cell.collapsed else "")


def latex_cell(cell: Cell) -> str:
    """A cell as LaTeX, like `markdown_cell`."""
    if cell.mean is None:
        return escape(cell.reason) if cell.reason.startswith(NOT_AVAILABLE) else "--"
    text = printed_number(cell.mean, cell.sd, r" $\pm$ ", digits(cell.metric))
    text = rf"\textbf{{{text}}}" if cell.best else text
    return text + LATEX_MARKS[cell.mark] + (r"$^{\dagger}$" if cell.collapsed else "")


def printed_number(mean: float, sd: float | None, plus_minus: str = " ± ", places: int = 1) -> str:
    """A mean and its standard deviation as tables print them, with one decimal if `places` does not say otherwise."""
    text = f"{mean:z.{places}f}"
    return text if sd is None else f"{text}{plus_minus}{sd:.{places}f}"


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV; numbers have six decimals."""
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def escape(text: str) -> str:
    """Escape the characters that are special in LaTeX, and set the signs of negative numbers."""
    return _MINUS.sub("$-$", text.translate(LATEX_SPECIAL))
