"""Compare two finished studies by their results folders; print the Markdown page and write it to a file."""

import argparse
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.reports.compare import compare_studies, read_finished


def main(argv: list[str] | None = None) -> None:
    """Read both folders; print the comparison and write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, help="results folder of study A")
    parser.add_argument("second", type=Path, help="results folder of study B")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    page = compare_studies(read_finished(args.first), read_finished(args.second))
    write_whole(args.output, page)
    print(page)


if __name__ == "__main__":
    exit_on_error(main)
