"""Write the report of a study: one HTML file of its tables, data, pairs, figures and runs."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import read_yaml, write_whole
from tabpo.errors import exit_on_error
from tabpo.metrics.looks import count_looks
from tabpo.names import run_folders
from tabpo.reports.cell_details import Commands
from tabpo.reports.report import ReportedRun, render_report, shown_files


def main(argv: list[str] | None = None) -> None:
    """Read the tables, figures, pages and facts about the runs; write the report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: axes, tables, runs, exhibits")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--commands", type=json.loads, required=True, help="JSON: how the reader calls the workflow")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    contents = {name: (args.results / name).read_text() for name in shown_files(args.settings)}
    runs, trained = [], []
    for run, folder in run_folders(args.settings["runs"]):
        made = {
            name: json.loads((args.results / folder / f"{name}.json").read_text())
            for name in ("selection", "provenance")
        }
        runs.append(ReportedRun(**run, **made))
    for row in args.settings["runs"]:
        _, folder = next(run_folders([row]))
        trained.append(read_yaml(args.results / folder / "run.yaml", "settings of a run"))
    logging.info("%d tables, pages and figures, %d runs", len(contents), len(runs))
    settings = args.settings | {"looks": count_looks(args.results / "looks")}
    write_whole(args.output, render_report(settings, contents, runs, trained, Commands(**args.commands)))


if __name__ == "__main__":
    exit_on_error(main)
