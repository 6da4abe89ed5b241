"""Draw the scores of one table as dots with the intervals of its tests."""

import argparse
import csv
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.reports.score_figure import write_score_figure


def main(argv: list[str] | None = None) -> None:
    """Read a table and its tests; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True)
    parser.add_argument("--csv", type=Path, required=True, help="table x.csv")
    parser.add_argument("--tests-csv", type=Path, required=True, help="its tests, x.tests.csv")
    parser.add_argument("--md", type=Path, required=True, help="table x.md, which says whether it is a rehearsal")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    cells, tests = (list(csv.DictReader(path.read_text().splitlines())) for path in (args.csv, args.tests_csv))
    rehearsal = ", REHEARSAL" if "**REHEARSAL" in args.md.read_text() else ""
    logging.info("%d differences", len(tests))
    write_score_figure(args.output, cells, tests, args.title + rehearsal)


if __name__ == "__main__":
    exit_on_error(main)
