"""Draw what each loss logged at each step, for one model and data set."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.records import TrainingStep, read_records
from tabpo.reports.training_figure import write_training_figure


def main(argv: list[str] | None = None) -> None:
    """Read the log of every run; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: runs")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--title", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    logs: dict[str, list[list[TrainingStep]]] = {}
    for run, folder in run_folders(args.settings["runs"]):
        steps = read_records(args.results / folder / "training.parquet", TrainingStep)
        logs.setdefault(run["method"], []).append(steps)
    logging.info("%d methods", len(logs))
    write_training_figure(args.output, logs, args.title)


if __name__ == "__main__":
    exit_on_error(main)
