"""Draw how scores depend on the value of one setting, for one model and data set."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.reports.sensitivity_figure import write_sensitivity_figure
from tabpo.tables.estimates import RunEstimates, read_estimates
from tabpo.tables.sensitivity import sensitivity_points


def main(argv: list[str] | None = None) -> None:
    """Read the counts of every run; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: runs, metrics, setting, lines")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--title", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = args.settings
    runs: dict[str, list[RunEstimates]] = {}
    for run, folder in run_folders(settings["runs"]):
        counts = args.results / folder / "scores/test.counts.parquet"
        runs.setdefault(run["method"], []).append(read_estimates(counts, settings["metrics"]))
    points = sensitivity_points(runs, settings["metrics"])
    logging.info("%d metrics, %d rows with %s", len(points), len(runs), settings["setting"])
    about = {"setting": settings["setting"], "title": args.title}
    lines = {row: settings["lines"][row] for row in runs if row in settings["lines"]}
    write_sensitivity_figure(args.output, points, lines, **about)


if __name__ == "__main__":
    exit_on_error(main)
