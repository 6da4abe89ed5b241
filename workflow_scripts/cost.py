"""Write the table of costs as CSV, Markdown and LaTeX from the timings and provenance of all trained runs."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.privacy import marked
from tabpo.tables.costs import TrainedRun, build_costs, costs_csv, costs_latex, costs_markdown, describe_costs


def main(argv: list[str] | None = None) -> None:
    """Read the provenance of every run, and write the same rows in three formats."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: caption, runs, needed, private, names"
    )
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--output-csv", type=Path, required=True)
    parser.add_argument("--output-md", type=Path, required=True)
    parser.add_argument("--output-tex", type=Path, required=True)
    args = parser.parse_args(argv)

    runs, private, caption = [], args.settings["private"], args.settings["caption"]
    for run, folder in run_folders(args.settings["runs"]):
        provenance = json.loads((args.results / folder / "provenance.json").read_text())
        runs.append(TrainedRun(**run, provenance=provenance))
    costs = build_costs(runs, args.settings["needed"])
    notes = describe_costs(costs, runs, args.settings["needed"])
    logging.info("%d runs, %d rows", len(runs), len(costs))
    write_whole(args.output_csv, costs_csv(costs))
    write_whole(args.output_md, marked(costs_markdown(costs, caption, notes), private))
    write_whole(args.output_tex, marked(costs_latex(costs, caption, notes, args.settings["names"]), private, "% "))


if __name__ == "__main__":
    exit_on_error(main)
