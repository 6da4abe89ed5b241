"""Turn Markdown of tables and pages into HTML for the report: numbers sort, and a click on one leads to its details."""

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from tabpo.metrics.names import label_metric
from tabpo.reports.cell_details import Row
from tabpo.tables.cells import NOT_AVAILABLE
from tabpo.tables.meanings import PARTS, title
from tabpo.tables.typeset import KEYS, SIDE

CLAIM_KEYS = 2
"""How many columns of a table of claims say what is claimed: the claim and the metric."""

DEEPER = 3
"""How many levels lower the headings of a page are in the report."""

_RULES = ("heading", "list", "table", "code", "backticks")
_PAGES = MarkdownIt("zero").enable([*_RULES])  # no emphasis, since data may hold asterisks; no links or images
_TABLES = MarkdownIt("zero").enable([*_RULES, "emphasis", "escape"])
_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")
_FIRST_NUMBER = re.compile(r"[*+< ]*(-?\d*\.?\d+)")


def page_html(text: str) -> Markup:
    """A page in Markdown as HTML; asterisks, backslashes and markup in it are shown as they are."""
    return _html(_PAGES, _PAGES.parse(text))


def table_html(text: str, cells: Sequence[Row] = ()) -> Markup:
    """A table in Markdown as HTML; bold is shown as bold.

    Args:
        text: Caption, table and notes.
        cells: The lines of the table's CSV. A number gets the attribute `data-cell`, the place of its line in them.
    """
    tokens = _TABLES.parse(text)
    if cells and "claim" in cells[0]:
        _mark_claims(tokens)
    elif cells:
        _mark_cells(tokens, cells)
    return _html(_TABLES, tokens)


def _html(parser: MarkdownIt, tokens: Sequence[Token]) -> Markup:
    """Headings `DEEPER` levels down, numbers aligned right; wide tables scroll on their own."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + DEEPER}"
    _mark_numbers(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    return Markup(html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>"))


def _mark_cells(tokens: Sequence[Token], cells: Sequence[Row]) -> None:
    """Give each number of a table the attribute `data-cell`, the place of its line in the table's CSV.

    The columns of a table are methods beside metrics, with the data set, model and label of each row if there are
    several; methods beside data sets and models; or methods beside data sets and metrics.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    for place, cell in enumerate(cells):
        for key in _keys(cell):
            places.setdefault(key, []).append(place)
    heads: list[str] = []
    row: list[str] = []
    for token, content in pairwise(tokens):
        if token.type == "th_open":
            heads.append(content.content)
        elif token.type == "tr_open":
            row = []
        elif token.type == "td_open":
            head = heads[len(row)]
            row.append(content.content)
            names = tuple(text for text, name in zip(row, heads, strict=False) if name in KEYS)
            if len(at := places.get((*names, head), [])) == 1:
                token.attrSet("data-cell", str(at[0]))
            elif head == "method":
                token.attrSet("class", "row-name")  # it stays in sight when the table is scrolled


def _keys(cell: Row) -> list[tuple[str, ...]]:
    """The texts of a row and the head of a column by which a table may show a cell."""
    block, method, head = (cell["dataset"], cell["model"]), cell["method"], title(cell["metric"])
    if of_label := label_metric(cell["metric"]):
        row, head = (title(of_label._replace(part="f1").name), method), PARTS[of_label.part]
        return [(*block, *row, head), (*row, head)]
    beside = f"{cell['dataset']}{SIDE}{head}"
    return [
        *((*block, method, head), (method, head)),
        *((method, " / ".join(block)), (cell["model"], method, beside), (method, beside)),
    ]


def _mark_claims(tokens: Sequence[Token]) -> None:
    """Give each filled cell of a table of claims, whose rows are the lines of the CSV, the attribute `data-cell`."""
    line, place = -1, 0
    for token, content in pairwise(tokens):
        if token.type == "tr_open":
            line, place = line + 1, 0  # the first row has the heads, and the lines are counted from 1
        elif token.type == "td_open":
            if place >= CLAIM_KEYS and content.content != "–":
                token.attrSet("data-cell", str(line - 1))
            place += 1


def _mark_numbers(tokens: Sequence[Token]) -> None:
    """Mark the columns whose cells begin with numbers, so that they are sorted by `data-order`.

    If a column has nothing but numbers, its cells and its head have the class `number`, too.
    """
    columns: dict[int, list[tuple[Token, str]]] = {}
    place = 0
    for token, content in pairwise(tokens):
        if token.type == "table_open":
            columns = {}
        elif token.type == "tr_open":
            place = 0
        elif token.type in ("th_open", "td_open"):
            columns.setdefault(place, []).append((token, content.content))
            place += 1
        elif token.type == "tbody_close":
            for cells in columns.values():
                _mark_column(cells)


def _mark_column(cells: Sequence[tuple[Token, str]]) -> None:
    body = [(cell, text) for cell, text in cells if cell.type == "td_open"]
    filled = [text for _, text in body if text not in ("", "–") and not text.startswith(NOT_AVAILABLE)]
    numbers = {text: match[1] for text in filled if (match := _FIRST_NUMBER.match(text))}
    if filled and len(numbers) == len(set(filled)):
        for cell, text in body:
            cell.attrSet("data-order", numbers.get(text, ""))
    if filled and all(map(_NUMBER.fullmatch, filled)):
        for cell, _ in cells:
            cell.attrs.pop("style", None)
            cell.attrSet("class", "number")
