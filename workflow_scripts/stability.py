"""Write a table of diversity and stability from samples and the logs of training, and the tests of its differences."""

import json
import logging

from tabpo.errors import exit_on_error
from tabpo.metrics.diversity import DIVERSITY
from tabpo.names import run_folders
from tabpo.records import TrainingStep, read_records
from tabpo.tables.cells import code_differences
from tabpo.tables.estimates import read_estimates
from tabpo.tables.files import read_arguments, table_files, write_files
from tabpo.tables.stability import stability_run


def main(argv: list[str] | None = None) -> None:
    """Read the counts of samples, the logs and the provenance of all runs; write all files of the table."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args = read_arguments(__doc__, argv)

    settings = args.settings
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        steps = read_records(args.results / folder / "training.parquet", TrainingStep)
        samples = read_estimates(args.results / folder / "samples/dev_select.counts.parquet", DIVERSITY)
        made = json.loads((args.results / folder / "provenance.json").read_text())
        provenance.append(made)
        runs.append(stability_run(run, steps, samples, collapsed=made.get("collapsed_after") is not None))
    differing = code_differences(provenance, strict=settings["strict_code"])
    write_files(args, table_files(settings, runs, differing, {}))
    logging.info("%d runs in a table", len(runs))


if __name__ == "__main__":
    exit_on_error(main)
