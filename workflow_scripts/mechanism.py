"""Write a table of mechanisms from the logs of training, and the tests of its differences."""

import json
import logging

from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.records import TrainingStep, read_records
from tabpo.tables.cells import code_differences
from tabpo.tables.files import read_arguments, rehearsal_reasons, scored_run, table_files, write_files
from tabpo.tables.mechanism import mechanism_run


def main(argv: list[str] | None = None) -> None:
    """Read logs, evaluations and provenance of all runs, and scores of SFT and dictionary; write the table's files."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args = read_arguments(__doc__, argv)

    settings = args.settings
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        steps = read_records(args.results / folder / "training.parquet", TrainingStep)
        watch = json.loads((args.results / folder / "watch.json").read_text())
        provenance.append(json.loads((args.results / folder / "provenance.json").read_text()))
        runs.append(mechanism_run(run, steps, watch))
    scored = [scored_run(run, args.results / folder, settings, {}) for run, folder in run_folders(settings["scored"])]
    settings = settings | {"rehearsals": rehearsal_reasons(settings, scored)}
    differing = code_differences(provenance, strict=settings["strict_code"])
    write_files(args, table_files(settings, runs, differing, {}))
    logging.info("%d runs in a table", len(runs))


if __name__ == "__main__":
    exit_on_error(main)
