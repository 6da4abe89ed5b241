"""Print the value of one cell of a table, from the files of the runs that the cell is a mean of."""

import argparse
import json
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.records import TrainingStep, read_records
from tabpo.tables.mechanism import mechanism_run
from tabpo.tables.printed_cell import printed_cell


def main(argv: list[str] | None = None) -> None:
    """Read the files of the runs, print the mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    files = parser.add_mutually_exclusive_group(required=True)
    files.add_argument("--scores", type=Path, nargs="+", help="scores/test.json of each run")
    files.add_argument("--watch", type=Path, nargs="+", help="watch.json of each run, with training.parquet beside it")
    parser.add_argument("--metric", required=True, help="name of a metric, like ner_strict, rel@pure or rare_drift")
    args = parser.parse_args(argv)

    if args.scores:
        runs = {path.parents[1]: json.loads(path.read_text()) for path in args.scores}
    else:
        unnamed = dict.fromkeys(("dataset", "model", "method", "seed"))
        runs = {
            path.parent: mechanism_run(
                unnamed,
                read_records(path.with_name("training.parquet"), TrainingStep),
                json.loads(path.read_text()),
            ).scores
            for path in args.watch
        }
    print(printed_cell(runs, args.metric))


if __name__ == "__main__":
    exit_on_error(main)
