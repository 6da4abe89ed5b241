"""Copy the small files of each scored run of a study, from which tables can be made without the models."""

import argparse
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.tables.kept_runs import keep_runs


def main(argv: list[str] | None = None) -> None:
    """Copy the files and log the number of runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--output", type=Path, required=True, help="folder that keeps the small files of runs")
    args = parser.parse_args(argv)
    logging.info("%d runs are kept in %s", len(keep_runs(args.results, args.output)), args.output)


if __name__ == "__main__":
    exit_on_error(main)
