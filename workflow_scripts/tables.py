"""Write one table as CSV, Markdown and LaTeX from the scores of its runs."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.captions import describe
from tabpo.data.privacy import marked
from tabpo.errors import exit_on_error
from tabpo.study import run_folders
from tabpo.tables import Run, build_cells, code_differences
from tabpo.typeset import to_csv, to_latex, to_markdown


def main(argv: list[str] | None = None) -> None:
    """Read scores and provenance, build the cells once, write them three times."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the table's entry and its runs")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study; its runs lie below")
    parser.add_argument("--output-csv", type=Path, required=True)
    parser.add_argument("--output-md", type=Path, required=True)
    parser.add_argument("--output-tex", type=Path, required=True)
    args = parser.parse_args(argv)

    settings, private = args.settings, args.settings["private"]
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        scores = json.loads((args.results / folder / "scores/test.json").read_text())
        made = {}  # no baseline was trained
        if run["model"] is not None:
            made = json.loads((args.results / folder / "provenance.json").read_text())
            provenance.append(made)
        runs.append(Run(**run, scores=scores, collapsed=made.get("collapsed_after") is not None))
    shown = {key: settings[key] for key in ("rows", "metrics", "baseline")}
    cells = build_cells(runs, **shown)
    differing = code_differences(provenance, strict=settings["strict_code"])
    text = describe(settings, runs, cells, differing)
    logging.info("%d runs, %d cells", len(runs), len(cells))
    write_whole(args.output_csv, to_csv(cells))
    write_whole(args.output_md, marked(to_markdown(cells, layout=settings["layout"], **text), private))
    write_whole(args.output_tex, marked(to_latex(cells, layout=settings["layout"], **text), private, "% "))


if __name__ == "__main__":
    exit_on_error(main)
