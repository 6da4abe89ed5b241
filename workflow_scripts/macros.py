"""Write every number of a study's tables as a LaTeX macro."""

import argparse
import json
import logging
from pathlib import Path

import pandas as pd

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.privacy import marked
from tabpo.tables.macros import render_macros


def main(argv: list[str] | None = None) -> None:
    """Read the cells and differences of each table; write the definitions of the macros."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: private, other_tests")
    parser.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="tables x.csv, each with x.tests.csv beside it"
    )
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    tables = {path.stem: (pd.read_csv(path), pd.read_csv(path.with_suffix(".tests.csv"))) for path in args.tables}
    macros = render_macros(tables, args.settings["other_tests"])
    write_whole(args.output, marked(macros, args.settings["private"], "% "))
    logging.info("numbers of %d tables: %s", len(tables), args.output)


if __name__ == "__main__":
    exit_on_error(main)
