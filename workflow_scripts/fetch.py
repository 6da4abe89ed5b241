"""Copy the published files of a source from TABPO_DATA, or download them, and check their hashes."""

import argparse
import logging
import os
from pathlib import Path

from tabpo.data.download import SOURCES, fetch
from tabpo.errors import exit_on_error


def main(argv: list[str] | None = None) -> None:
    """Write one file for each split."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=sorted(SOURCES), required=True)
    parser.add_argument("--outputs", type=Path, nargs="+", required=True, help="files that are named like their splits")
    args = parser.parse_args(argv)

    fetch(args.source, {path.stem: path for path in args.outputs}, local=os.environ.get("TABPO_DATA", ""))


if __name__ == "__main__":
    exit_on_error(main)
