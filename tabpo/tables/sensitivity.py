"""How scores depend on the value of one setting: columns of tables, points of figures, and tables of label noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tabpo.tables.captions import describe, describe_tests
from tabpo.tables.cells import Cell, Samples, build_cells, pooled_block, single_blocks
from tabpo.tables.comparisons import Comparison, adjust_families, differences, marks_of, rehearsals
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.meanings import printed_metric, title
from tabpo.tables.significance import effect, stack
from tabpo.tables.typeset import (
    csv_text,
    latex_cell,
    latex_table,
    long_form,
    markdown_cell,
    markdown_table,
    tests_csv,
    tests_latex,
    tests_markdown,
)

CLEAN = "the same method without flips"
"""What each row with noise is compared to."""


def value_column(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The column of values of a table of sensitivity, by its head; another table has none."""
    if settings["layout"] != "sensitivity":
        return {}
    texts = {row: str(value) for row, value in settings["values"].items()}
    texts[settings["against"]] += " (default)"
    return {settings["setting"]: texts}


@dataclass(frozen=True)
class Point:
    """The mean over seeds of one row in one metric, with its 95 % interval over new seeds and new test documents."""

    mean: float
    low: float
    high: float


def sensitivity_points(
    runs: Mapping[str, Sequence[RunEstimates]], metrics: Sequence[str]
) -> dict[str, dict[str, Point]]:
    """The point of each row, by metric; a metric without gold items is left out.

    Args:
        runs: For each row the runs of its seeds, on one data set with one model. With one seed the interval is over new
            documents only.
        metrics: Names of metrics that the runs have.
    """
    points: dict[str, dict[str, Point]] = {}
    for metric in metrics:
        if all(run.gold[metric] for seeds in runs.values() for run in seeds):
            effects = {row: effect(stack([run.metrics[metric] for run in seeds])) for row, seeds in runs.items()}
            points[metric] = {row: Point(each.estimate, *each.interval) for row, each in effects.items()}
    return points


def noise_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of a table's files, in the order of `tabpo.tables.files.FILES`.

    `settings["rates"]` has for each method its row and those with noise, each with the share of flipped pairs.
    """
    single, rows, metrics = single_blocks(samples), settings["rows"], settings["metrics"]
    means = {metric: pooled_block(samples, rows, metric) for metric in metrics}
    cells = build_cells(samples, {name: single + ([mean] if mean else []) for name, mean in means.items()}, rows)
    comparisons = _comparisons(settings, samples, cells)
    withheld = rehearsals(samples, single, settings["generated"])
    about = settings | {"against": CLEAN, "tested": metrics, "tested_rows": rows}
    text = describe(about, samples, cells, comparisons, withheld, differing, left_out)
    marks = marks_of(comparisons, withheld)
    cells = [replace(cell, mark=marks.get((cell.block, cell.method, cell.metric), "")) for cell in cells]
    if any(marks.values()):
        tests = max(comparison.tests for comparison in comparisons)
        text["caption"] += f" ▲ ▼: better, worse than {CLEAN}, Holm-adjusted p < .05 over {tests} differences."
    about_tests = describe_tests(about, comparisons)
    about_tests["caption"] = f"{settings['caption']} Differences to {CLEAN}."
    label, names = f"tab:{settings['name']}", settings["names"]
    noise = {row: (method, rate) for method, rates in settings["rates"].items() for row, rate in rates.items()}
    frame = long_form(cells)
    frame.insert(3, "flip_rate", [noise.get(name, ("", 0.0))[1] for name in frame["method"]])
    return (
        csv_text(frame),
        markdown_table(_frame(cells, noise, "–", title, markdown_cell), **text),
        latex_table(_frame(cells, noise, "--", printed_metric, latex_cell), **text, label=label, names=names),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )


def _comparisons(settings: Mapping[str, Any], samples: Samples, cells: Sequence[Cell]) -> list[Comparison]:
    """Each row with noise against the row of its method without flips, all as one family."""
    return adjust_families(
        [
            comparison
            for method, rates in settings["rates"].items()
            for comparison in differences(
                samples,
                [cell for cell in cells if cell.method in rates],
                against=method,
                tested=settings["metrics"],
            )
        ]
    )


def _frame(
    cells: Sequence[Cell],
    noise: Mapping[str, tuple[str, float]],
    dash: str,
    heading: Callable[[str], str],
    text: Callable[[Cell], str],
) -> pd.DataFrame:
    """Rows are methods without flips, and SFT; columns are metrics by the share of flipped pairs in percent."""
    one_block = len({cell.block for cell in cells}) == 1
    columns = [
        f"{heading(metric)}, {100 * rate:g} %"
        for metric in dict.fromkeys(cell.metric for cell in cells)
        for rate in sorted({rate for _, rate in noise.values()})
    ]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        method, rate = noise.get(cell.method, (cell.method, 0.0))
        block = {} if one_block else {"dataset": cell.block.dataset, "model": cell.block.model}
        key = block | {"method": method}
        row = rows.setdefault(tuple(key.values()), key | dict.fromkeys(columns, dash))
        row[f"{heading(cell.metric)}, {100 * rate:g} %"] = text(cell)
    return pd.DataFrame(list(rows.values()))
