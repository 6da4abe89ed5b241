"""Make the files of one table from the runs that it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabpo.privacy import marked
from tabpo.tables.captions import describe, describe_tests
from tabpo.tables.cells import Run, Samples, arrange, build_cells, pooled_block, single_blocks
from tabpo.tables.claims import claim_contents
from tabpo.tables.comparisons import STRICT, compare, mark, rehearsals
from tabpo.tables.mechanism import mechanism_contents
from tabpo.tables.typeset import tests_csv, tests_latex, tests_markdown, to_csv, to_latex, to_markdown

FILES = ("csv", "md", "tex", "tests.csv", "tests.md", "tests.tex")
"""Endings of the files of a table, in the order of `contents` in `table_files`."""


def needed_metrics(settings: Mapping[str, Any]) -> list[str]:
    """The metrics to read of each run: those of the table, and those in which SFT is compared with the dictionary."""
    return list(dict.fromkeys([*settings["metrics"], *STRICT]))


def table_files(
    settings: Mapping[str, Any],
    runs: Sequence[Run],
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> dict[str, str]:
    """Make a table: the content of each file, by its ending in `FILES`.

    Args:
        settings: The table's settings, from `table_settings`, `metric_settings` or `partial_table`.
        runs: All runs of the table.
        differing: The modules whose code differed between these runs.
        left_out: For each data set, how many `relations` and `clusters` of test its prompts do not ask about.
    """
    contents = {"claims": claim_contents, "mechanism": mechanism_contents}.get(settings["layout"], score_contents)
    samples = arrange(runs, settings["imported"], settings.get("missing", ()))
    files = dict(zip(FILES, contents(settings, samples, differing, left_out), strict=True))
    for ending, comment in (("md", ""), ("tex", "% "), ("tests.md", ""), ("tests.tex", "% ")):
        files[ending] = marked(files[ending], settings["private"], comment)
    return files


def score_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of the files of a table of scores, in the order of `FILES`."""
    single = single_blocks(samples)
    blocks = {
        metric: single + ([mean] if (mean := pooled_block(samples, settings["rows"], metric)) else [])
        for metric in settings["metrics"]
    }
    cells = build_cells(samples, blocks, settings["rows"])
    comparisons = compare(
        samples, cells, against=settings["against"], tested=settings["tested"], rows=settings["tested_rows"]
    )
    withheld = rehearsals(samples, single, settings["generated"])
    cells = mark(samples, cells, comparisons, withheld)
    text = describe(settings, samples, cells, comparisons, withheld, differing, left_out)
    about_tests = describe_tests(settings, comparisons)
    label, names = f"tab:{settings['name']}", settings["names"]
    return (
        to_csv(cells),
        to_markdown(cells, layout=settings["layout"], **text),
        to_latex(cells, layout=settings["layout"], label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )
