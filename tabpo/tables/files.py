"""Make the files of one table from the runs that it shows."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabpo.artefacts import write_whole
from tabpo.names import DICTIONARY, SFT
from tabpo.privacy import marked
from tabpo.tables.captions import describe, describe_tests
from tabpo.tables.cells import Block, Run, Samples, arrange, build_cells, of_dataset, pooled_block, single_blocks
from tabpo.tables.claims import claim_contents
from tabpo.tables.comparisons import STRICT, compare, mark, rehearsals
from tabpo.tables.estimates import read_estimates
from tabpo.tables.labels import label_contents
from tabpo.tables.mechanism import mechanism_contents
from tabpo.tables.sensitivity import noise_contents, value_column
from tabpo.tables.stability import stability_contents
from tabpo.tables.typeset import tests_csv, tests_latex, tests_markdown, to_csv, to_latex, to_markdown

FILES = ("csv", "md", "tex", "tests.csv", "tests.md", "tests.tex")
"""Endings of the files of a table, in the order of `contents` in `table_files`."""


def read_arguments(description: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of a program that makes a table: `settings`, `results` and the path of each file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the table's entry and its runs")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    for ending in FILES:
        parser.add_argument(f"--output-{ending.replace('.', '-')}", type=Path, required=True)
    return parser.parse_args(argv)


def write_files(args: argparse.Namespace, contents: Mapping[str, str]) -> None:
    """Write what `table_files` returns to the paths of `read_arguments`."""
    for ending, content in contents.items():
        write_whole(getattr(args, f"output_{ending.replace('.', '_')}"), content)


def needed_metrics(settings: Mapping[str, Any], method: str) -> list[str]:
    """The metrics to read of a run: those of the table; of SFT and the dictionary also those that compare the two."""
    return list(dict.fromkeys([*settings["metrics"], *(STRICT if method in (SFT, DICTIONARY) else ())]))


def metrics_by_label(settings: Mapping[str, Any]) -> list[str]:
    """The metrics of which every label is read of each run; none but in a table of labels."""
    return settings["metrics"] if settings["layout"] == "labels" else []


def scored_run(run: Mapping[str, Any], folder: Path, settings: Mapping[str, Any], provenance: Mapping[str, Any]) -> Run:
    """Read the scores of one run, and their estimates on all documents and without each cluster of them.

    Args:
        run: Its dataset, model, method and seed.
        folder: The run's folder.
        settings: The table's settings.
        provenance: Its `provenance.json`; empty for a run without one.
    """
    path = folder / f"scores/{settings['split']}.json"
    estimates = read_estimates(
        path.with_suffix(".counts.parquet"), needed_metrics(settings, run["method"]), metrics_by_label(settings)
    )
    made = {"collapsed": provenance.get("collapsed_after") is not None, "asked": provenance.get("asked", {})}
    return Run(**run, scores=json.loads(path.read_text()), estimates=estimates, **made)


def rehearsal_reasons(settings: Mapping[str, Any], scored: Sequence[Run]) -> dict[str, str]:
    """The reason of each rehearsal by the name of its block, from the scores of SFT and of the dictionary."""
    samples = arrange(scored)
    reasons = rehearsals(samples, single_blocks(samples), settings["generated"])
    return {block.name: reason for block, reason in reasons.items()}


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
    contents = {
        "claims": claim_contents,
        "mechanism": mechanism_contents,
        "labels": label_contents,
        "stability": stability_contents,
        "noise": noise_contents,
    }.get(settings["layout"], score_contents)
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
    cells = build_cells(samples, _blocks(settings, samples), settings["rows"])
    comparisons = compare(
        samples, cells, against=settings["against"], tested=settings["tested"], rows=settings["tested_rows"]
    )
    withheld = rehearsals(samples, single_blocks(samples), settings["generated"])
    cells = mark(samples, cells, comparisons, withheld)
    text = describe(settings, samples, cells, comparisons, withheld, differing, left_out)
    text |= {"layout": settings["layout"], "about": value_column(settings)}
    about_tests = describe_tests(settings, comparisons)
    label, names = f"tab:{settings['name']}", settings["names"]
    return (
        to_csv(cells),
        to_markdown(cells, **text),
        to_latex(cells, label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )


def _blocks(settings: Mapping[str, Any], samples: Samples) -> dict[str, list[Block]]:
    """The blocks of each metric: each model on each data set, then the mean over them.

    Side by side, each data set has its own metrics, and a mean over models alone.
    """
    parts = [(samples, settings["metrics"])]
    if settings["layout"] == "side_by_side":
        parts = [(of_dataset(samples, dataset), metrics) for dataset, metrics in settings["by_dataset"].items()]
    blocks: dict[str, list[Block]] = {}
    for part, metrics in parts:
        for metric in metrics:
            mean = pooled_block(part, settings["rows"], metric)
            blocks.setdefault(metric, []).extend(single_blocks(part) + ([mean] if mean else []))
    return blocks
