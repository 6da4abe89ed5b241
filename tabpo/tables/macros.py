"""Write every number of a study's tables as a LaTeX macro, so that an article never repeats a number by hand."""

import re
from collections.abc import Collection, Mapping

import pandas as pd

from tabpo.errors import DataError
from tabpo.tables.cells import MEAN
from tabpo.tables.meanings import digits
from tabpo.tables.typeset import escape, printed_p

HEAD = r"""% \input this file; \tabpo{scierc/qwen/tab_po/rel/mean} is then 46.5, and an unknown key an error.
\newcommand{\tabpo}[1]{\ifcsname tabpo:#1\endcsname\csname tabpo:#1\endcsname\else\PackageError{tabpo}{no cell #1}{}\fi}
"""


_SPECIAL = re.compile(r"[\\{}%#~^$&\"]")


def render_macros(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], other_tests: Collection[str] = ()) -> str:
    """Define a macro for each number, rounded as tables print it.

    The key of a cell is `{dataset}/{model}/{method}/{metric}/` and `mean`, `sd` or `seeds`. The key of a difference is
    `{dataset}/{model}/{method}/{metric}/against/{row}/` and `difference`, `low`, `high`, `relative`, `p`, or
    `p_holm/{table}`, because each table has its own family of tests. Keys of means over models or data sets start with
    the name of the table, because different tables average over different ones. The key of a number of a claim is
    `{table}/{claim}/{against}/{metric}/` and a column of `_CLAIMED`, or `p`. Characters of labels that LaTeX would not
    take in a key are hyphens.

    Args:
        tables: For each table the data frames of `x.csv` and `x.tests.csv`.
        other_tests: Tables of other splits than test; all of their keys start with the name of the table.

    Raises:
        DataError: Two tables have different numbers for the same key.
    """
    values: dict[str, str] = {}
    for table, (cells, tests) in tables.items():
        numbers = _claims(table, cells) if "claim" in cells else _cells(table, cells)
        prefix = f"{table}/" if table in other_tests else ""
        for name, value in (*numbers, *_differences(table, tests)):
            key = _SPECIAL.sub("-", prefix + name.removeprefix(prefix))
            if values.setdefault(key, value) != value:
                raise DataError(f"macros.tex: {key} is {values[key]} in one table and {value} in table {table}")
    lines = [rf"\expandafter\def\csname tabpo:{key}\endcsname{{{value}}}" for key, value in values.items()]
    return HEAD + "\n".join(lines) + "\n"


def _cells(table: str, cells: pd.DataFrame) -> list[tuple[str, str]]:
    numbers = []
    for row in cells[cells["mean"].notna()].to_dict("records"):
        key = _key(table, row)
        places = digits(row["metric"])
        numbers.append((f"{key}/mean", f"{row['mean']:z.{places}f}"))
        if pd.notna(row["sd"]):
            numbers += [(f"{key}/sd", f"{row['sd']:.{places}f}"), (f"{key}/seeds", str(row["seeds"]))]
    return numbers


_CLAIMED = {
    **dict.fromkeys(("difference", "low", "high", "relative", "relative_low", "relative_high"), "z.1f"),
    **dict.fromkeys(("comparisons", "wins", "ties", "losses", "significant_wins", "significant_losses"), ".0f"),
}
"""Columns of claims, and how they are printed."""


def _claims(table: str, claims: pd.DataFrame) -> list[tuple[str, str]]:
    numbers = []
    for row in claims.to_dict("records"):
        key = "/".join((table, row["claim"], row["against"], row["metric"]))
        numbers += [
            (f"{key}/{name}", format(row[name], form)) for name, form in _CLAIMED.items() if pd.notna(row[name])
        ]
        if pd.notna(row["p"]):
            numbers.append((f"{key}/p", _p(row["p"])))
    return numbers


def _differences(table: str, tests: pd.DataFrame) -> list[tuple[str, str]]:
    numbers = []
    for row in tests.to_dict("records"):
        key = f"{_key(table, row)}/against/{row['against']}"
        form = f"z.{digits(row['metric'])}f"
        numbers += [(f"{key}/{name}", format(row[name], form)) for name in ("difference", "low", "high")]
        if pd.notna(row["relative"]):
            numbers.append((f"{key}/relative", f"{row['relative']:z.1f}"))
        if pd.notna(row["p"]):
            numbers.append((f"{key}/p", _p(row["p"])))
        if pd.notna(row["p_holm"]):
            numbers.append((f"{key}/p_holm/{table}", _p(row["p_holm"])))
    return numbers


def _p(value: float) -> str:
    return escape(printed_p(value))


def _key(table: str, row: Mapping[str, object]) -> str:
    key = "/".join(str(row[name]) for name in ("dataset", "model", "method", "metric"))
    return f"{table}/{key}" if any(str(row[name]).startswith(MEAN) for name in ("dataset", "model")) else key
