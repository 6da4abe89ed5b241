"""Draw which held-out gold tokens lost probability under each loss, for one model and data set."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.reports.erosion_figure import write_erosion_figure


def main(argv: list[str] | None = None) -> None:
    """Read `watch.json` of every run; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: runs")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--title", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    watched: dict[str, list[list[dict]]] = {}
    for run, folder in run_folders(args.settings["runs"]):
        watch = json.loads((args.results / folder / "watch.json").read_text())
        watched.setdefault(run["method"], []).append(watch["erosion"])
    logging.info("%d methods", len(watched))
    write_erosion_figure(args.output, watched, args.title)


if __name__ == "__main__":
    exit_on_error(main)
