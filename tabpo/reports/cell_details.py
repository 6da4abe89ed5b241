"""What the report says about one number of a table: its runs, its difference, and the command that makes it again."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabpo.tables.claims import ALL, GAIN
from tabpo.tables.meanings import MECHANISM, digits, title
from tabpo.tables.typeset import printed_number, printed_p

Row = Mapping[str, str]
"""A line of a CSV file; an empty cell is an empty text."""

KEYS = ("dataset", "model", "method", "metric")
CLAIM = ("claim", "against", "metric")


@dataclass(frozen=True)
class Commands:
    """How the reader calls the workflow on this study.

    Attributes:
        results: The results folder as a word of a shell, from the folder in which Snakemake was called.
        arguments: The arguments of Snakemake that name the study, such as `--configfile config/demo.yaml`.
    """

    results: str
    arguments: Sequence[str]

    def of_cell(self, runs: Iterable[str], metric: str, split: str) -> str:
        """The command that makes those runs of a cell that are missing, and prints the cell's value."""
        option, file = ("--watch", "watch.json") if metric in MECHANISM else ("--scores", f"scores/{split}.json")
        files = " ".join(f"{self.results}/{run}/{file}" for run in _braced(runs))
        show = f"python -m workflow_scripts.cell --metric {shlex.quote(metric)} {option} {files}"
        return f"{self._make(files)} && {show}"

    def of_claim(self, table: str, claim: Row) -> str:
        """The command that makes a table of claims if it is missing, and prints the line of a claim in its CSV."""
        file = f"{self.results}/{table}.csv"
        line = ",".join(claim[key] for key in CLAIM)
        return f"{self._make(file)} && sed -n {shlex.quote(f'1p;/^{line},/p')} {file}"

    def _make(self, files: str) -> str:
        return f"{shlex.join(['snakemake', '--profile', 'local', *self.arguments, '--'])} {files}"


def _braced(runs: Iterable[str]) -> list[str]:
    """The run folders as words of a shell; seeds of one row are one word, such as `notes/tiny/dpo/seed{1,2}`."""
    return [
        f"{row}/seed{{{','.join(seeds)}}}" if len(seeds) > 1 else "/seed".join([row, *seeds])
        for row, seeds in _by_row(runs).items()
    ]


def _by_row(runs: Iterable[str]) -> dict[str, list[str]]:
    """The seeds of each row, by the row's folder; none for a row without seeds, whose folder is that of its run."""
    seeds: dict[str, list[str]] = {}
    for run in runs:
        row, _, seed = run.rpartition("/seed")
        seeds.setdefault(row or run, []).extend([seed] if row else [])
    return seeds


def cell_details(
    cells: Sequence[Row], tests: Sequence[Row], code: Mapping[str, str], commands: Commands, split: str
) -> list[dict[str, Any]]:
    """For each line of a table's CSV what the report shows after a click on its cell.

    Args:
        cells: The lines of the table's `x.csv`.
        tests: The lines of its `x.tests.csv`.
        code: The fingerprint of the code of each trained run, by the run's folder.
        commands: How the reader calls the workflow.
        split: The split that the table scores, in most tables `test`.
    """
    differences: dict[tuple[str, ...], list[Row]] = {}
    for row in tests:
        differences.setdefault(tuple(row[key] for key in KEYS), []).append(row)
    values = {(run, row["metric"]): value for row in cells for run, value in _values(row)}
    return [
        {
            "title": f"{row['method']}, {title(row['metric'])}",
            "block": f"{row['dataset']}, {row['model']}",
            "facts": [
                *_value(row),
                *(fact for test in differences.get(tuple(row[key] for key in KEYS), ()) for fact in _difference(test)),
            ],
            "runs": [[run, values[run, row["metric"]], code.get(run, "–")] for run in row["runs"].split()],
            "command": commands.of_cell(row["runs"].split(), row["metric"], split) if row["runs"] else "",
        }
        for row in cells
    ]


def _values(row: Row) -> list[tuple[str, str]]:
    """The runs of a line with their values; those of a mean over models or data sets stand in other lines.

    Lines of stability name no runs, since no program prints such a value of one run.
    """
    runs, values = row["runs"].split(), row["by_seed"].split()
    if len(_by_row(runs)) != 1:
        return []
    return [(run, f"{float(value):z.2f}") for run, value in zip(runs, values, strict=True)]


def _value(row: Row) -> list[list[str]]:
    if not row["mean"]:
        return [["No value", row["reason"]]]
    spread = float(row["sd"]) if row["sd"] else None
    name = "Mean ± standard deviation over seeds" if row["sd"] else "Value"
    collapsed = [["Runs that collapsed in training", row["collapsed"]]] if row["collapsed"] != "0" else []
    return [[name, printed_number(float(row["mean"]), spread, places=digits(row["metric"]))], *collapsed]


def _difference(test: Row) -> list[list[str]]:
    places = max(2, digits(test["metric"]))
    low, high = (f"{float(test[bound]):z.{places}f}" for bound in ("low", "high"))
    facts = [
        [f"Difference to {test['against']}", f"{float(test['difference']):+z.{places}f} {test['unit']}"],
        [f"95 % interval over {_over(test)}", f"{low} to {high}"],
        ["p", printed_p(float(test["p"])) if test["p"] else "none: it needs at least two seeds that differ"],
    ]
    if test["p_holm"]:
        facts.append([f"p, Holm's over {test['tests']} differences", printed_p(float(test["p_holm"]))])
    if test["relative"]:
        facts.append([f"Relative to {test['against']}", f"{float(test['relative']):+z.1f} %"])
    return facts


def _over(test: Row) -> str:
    documents = "held-out documents" if test["metric"] in MECHANISM else "test documents"
    if test["documents"] == "0":
        return "new seeds"
    return f"new {documents}" if test["seeds"] == "1" else f"new seeds and {documents}"


def claim_details(
    table: str, claims: Sequence[Row], code: Mapping[str, str], commands: Commands
) -> list[dict[str, Any]]:
    """For each line of the CSV of a table of claims what the report shows after a click on one of its numbers.

    Args:
        table: The path of the table under the results, without its ending.
        claims: The lines of its `x.csv`.
        code: The fingerprint of the code of each trained run, by the run's folder.
        commands: How the reader calls the workflow.
    """
    return [
        {
            "title": f"{'Gain over' if row['claim'] == GAIN else 'Better than'} {row['against']}",
            "block": "all metrics" if row["metric"] == ALL else title(row["metric"]),
            "facts": [*_claimed(row), *([["Published of TAB-PO", row["published"]]] if row["published"] else [])],
            "runs": [[run, "–", code.get(run, "–")] for run in row["runs"].split()],
            "command": commands.of_claim(table, row) if row["runs"] else "",
        }
        for row in claims
    ]


def _claimed(row: Row) -> list[list[str]]:
    if row["reason"]:
        return [["No value", row["reason"]]]
    p = [printed_p(float(row["p"])) if row["p"] else "none: it needs at least two seeds that differ"]
    if row["claim"] != GAIN:
        return [
            ["Comparisons won, tied, lost", f"{row['wins']}, {row['ties']}, {row['losses']} of {row['comparisons']}"],
            ["Won and lost significantly", f"{row['significant_wins']}, {row['significant_losses']}"],
            ["Smallest difference", f"{float(row['difference']):+z.2f} points"],
            ["p that all differences are above 0", *p],
        ]
    relative = [["Relative", f"{float(row['relative']):+z.1f} %"]] if row["relative"] else []
    interval = [["95 % interval of this", _bounds(row, "relative_low", "relative_high", "z.1f")]] if relative else []
    over = _over(row)
    return [
        ["Difference, mean over data sets of the mean over models", f"{float(row['difference']):+z.2f} points"],
        [f"95 % interval over {over}", _bounds(row, "low", "high", "z.2f")],
        ["p, unadjusted", *p],
        *relative,
        *interval,
    ]


def _bounds(row: Row, low: str, high: str, form: str) -> str:
    return f"{float(row[low]):{form}} to {float(row[high]):{form}}"
