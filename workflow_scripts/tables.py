"""Write one table as CSV, Markdown and LaTeX from the scores of its runs, and the tests of its differences."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.data.card import not_asked
from tabpo.errors import exit_on_error
from tabpo.names import WITHOUT_MODEL
from tabpo.study.jobs import run_folders
from tabpo.tables.cells import Run, code_differences
from tabpo.tables.estimates import read_estimates
from tabpo.tables.files import FILES, metrics_by_label, needed_metrics, table_files


def main(argv: list[str] | None = None) -> None:
    """Read scores, counts and provenance of all runs; write all files of the table."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the table's entry and its runs")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    for ending in FILES:
        parser.add_argument(f"--output-{ending.replace('.', '-')}", type=Path, required=True)
    args = parser.parse_args(argv)

    settings, metrics, by_label = args.settings, needed_metrics(args.settings), metrics_by_label(args.settings)
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        scores = json.loads((args.results / folder / f"scores/{settings['split']}.json").read_text())
        counts = args.results / folder / f"scores/{settings['split']}.counts.parquet"
        made = {}
        if run["method"] not in WITHOUT_MODEL:
            made = json.loads((args.results / folder / "provenance.json").read_text())
            provenance.append(made)
        further = {"collapsed": made.get("collapsed_after") is not None, "asked": made.get("asked", {})}
        runs.append(Run(**run, scores=scores, estimates=read_estimates(counts, metrics, by_label), **further))
    differing = code_differences(provenance, strict=settings["strict_code"])
    left_out = {
        name: not_asked(json.loads((args.results / name / "card.json").read_text()), "test")
        for name in settings["by_sentence"]
    }
    for ending, content in table_files(settings, runs, differing, left_out).items():
        write_whole(getattr(args, f"output_{ending.replace('.', '_')}"), content)
    logging.info("%d runs in a table", len(runs))


if __name__ == "__main__":
    exit_on_error(main)
