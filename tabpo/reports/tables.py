"""One table of a study: from its runs to its files."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabpo.privacy import marked
from tabpo.reports.captions import describe, describe_tests
from tabpo.reports.cells import Run, arrange, build_cells, pooled_block, single_blocks
from tabpo.reports.comparisons import STRICT, compare, mark, rehearsals
from tabpo.reports.typeset import tests_csv, tests_latex, tests_markdown, to_csv, to_latex, to_markdown

FILES = ("csv", "md", "tex", "tests.csv", "tests.md", "tests.tex")
"""Endings of a table's files."""


def needed_metrics(settings: Mapping[str, Any]) -> list[str]:
    """What must be known of each run: the table's metrics, and the one that SFT is held against the dictionary by."""
    return list(dict.fromkeys([*settings["metrics"], *STRICT]))


def table_files(settings: Mapping[str, Any], runs: Sequence[Run], differing: Sequence[str]) -> dict[str, str]:
    """Each of `FILES` with its content.

    Args:
        settings: As `table_settings` or `metric_settings` give them.
        runs: All of the table.
        differing: Modules whose code differed between them.
    """
    samples = arrange(runs)
    single = single_blocks(samples)
    blocks = {
        metric: single + ([mean] if (mean := pooled_block(samples, settings["rows"], metric)) else [])
        for metric in settings["metrics"]
    }
    cells = build_cells(samples, blocks, settings["rows"])
    comparisons = compare(samples, cells, against=settings["against"], tested=settings["tested"])
    withheld = rehearsals(samples, single, settings["generated"])
    cells = mark(samples, cells, comparisons, withheld)
    text = describe(settings, samples, cells, comparisons, withheld, differing)
    about_tests = describe_tests(settings, comparisons)
    label, names = f"tab:{settings['name']}", settings["names"]
    contents = (
        to_csv(cells),
        to_markdown(cells, layout=settings["layout"], **text),
        to_latex(cells, layout=settings["layout"], label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )
    files = dict(zip(FILES, contents, strict=True))
    for ending, comment in (("md", ""), ("tex", "% "), ("tests.md", ""), ("tests.tex", "% ")):
        files[ending] = marked(files[ending], settings["private"], comment)
    return files
