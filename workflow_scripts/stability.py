"""Write a table of diversity and stability from samples and the logs of training, and the tests of its differences."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.metrics.diversity import DIVERSITY
from tabpo.records import TrainingStep, read_records
from tabpo.study.jobs import run_folders
from tabpo.tables.cells import code_differences
from tabpo.tables.estimates import read_estimates
from tabpo.tables.files import FILES, table_files
from tabpo.tables.stability import stability_run


def main(argv: list[str] | None = None) -> None:
    """Read the counts of samples, the logs and the provenance of all runs; write all files of the table."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the table's entry and its runs")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    for ending in FILES:
        parser.add_argument(f"--output-{ending.replace('.', '-')}", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = args.settings
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        steps = read_records(args.results / folder / "training.parquet", TrainingStep)
        samples = read_estimates(args.results / folder / "samples/dev_select.counts.parquet", DIVERSITY)
        made = json.loads((args.results / folder / "provenance.json").read_text())
        provenance.append(made)
        runs.append(stability_run(run, steps, samples, collapsed=made.get("collapsed_after") is not None))
    differing = code_differences(provenance, strict=settings["strict_code"])
    for ending, content in table_files(settings, runs, differing, {}).items():
        write_whole(getattr(args, f"output_{ending.replace('.', '_')}"), content)
    logging.info("%d runs in a table", len(runs))


if __name__ == "__main__":
    exit_on_error(main)
