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
    parser.add_argument("--output-train", type=Path, required=True)
    parser.add_argument("--output-dev", type=Path, required=True)
    parser.add_argument("--output-test", type=Path, required=True)
    args = parser.parse_args(argv)

    outputs = {"train": args.output_train, "dev": args.output_dev, "test": args.output_test}
    fetch(args.source, outputs, local=os.environ.get("TABPO_DATA", ""))


if __name__ == "__main__":
    exit_on_error(main)
