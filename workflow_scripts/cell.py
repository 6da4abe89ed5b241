"""Print the value of one cell of a table, from the score files of the runs that the cell is a mean of."""

import argparse
import json
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.tables.printed_cell import printed_cell


def main(argv: list[str] | None = None) -> None:
    """Read the score files, print the mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="scores/test.json of each run")
    parser.add_argument("--metric", required=True, help="name of a metric, like ner_strict or rel@pure")
    args = parser.parse_args(argv)

    print(printed_cell({path: json.loads(path.read_text()) for path in args.scores}, args.metric))


if __name__ == "__main__":
    exit_on_error(main)
