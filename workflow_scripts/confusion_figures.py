"""Draw the confusion tables of all seeds as heat maps, and measure how much the tables differ."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.confusions.stability import stability
from tabpo.errors import exit_on_error
from tabpo.records import Confusion, read_records
from tabpo.reports.confusion_figure import write_heat_maps


def main(argv: list[str] | None = None) -> None:
    """Read the tables; write one figure for each table, and the distances between the tables."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: seeds")
    parser.add_argument("--title", required=True)
    parser.add_argument("--confusions", type=Path, nargs="+", required=True, help="tables in the order of the seeds")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-figures", type=Path, nargs="+", required=True, help="in the order of the seeds")
    args = parser.parse_args(argv)

    settings = args.settings
    tables = [read_records(path, Confusion) for path in args.confusions]
    report = stability(dict(zip(settings["seeds"], tables, strict=True)))
    logging.info("mean distance between the tables of two seeds: %s", report["mean"])
    for seed, table, path in zip(settings["seeds"], tables, args.output_figures, strict=True):
        write_heat_maps(path, table, f"{args.title}, seed {seed}")
    write_json(args.output, report)


if __name__ == "__main__":
    exit_on_error(main)
