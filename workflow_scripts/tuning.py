"""Write the table of tuning as CSV, Markdown and LaTeX from the choices among trials."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.privacy import marked
from tabpo.reports.tuning_table import describe_tuning, tuning_csv, tuning_latex, tuning_markdown


def main(argv: list[str] | None = None) -> None:
    """Read the choice of every data set and method, and write the same rows in three formats."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: choices, private, names")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--output-csv", type=Path, required=True)
    parser.add_argument("--output-md", type=Path, required=True)
    parser.add_argument("--output-tex", type=Path, required=True)
    args = parser.parse_args(argv)

    private = args.settings["private"]
    choices = [
        {"dataset": choice["dataset"], **json.loads((args.results / choice["file"]).read_text())}
        for choice in args.settings["choices"]
    ]
    notes = describe_tuning(choices)
    logging.info("%d choices", len(choices))
    write_whole(args.output_csv, tuning_csv(choices))
    write_whole(args.output_md, marked(tuning_markdown(choices, notes), private))
    write_whole(args.output_tex, marked(tuning_latex(choices, notes, args.settings["names"]), private, "% "))


if __name__ == "__main__":
    exit_on_error(main)
