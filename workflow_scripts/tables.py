"""Write one table as CSV, Markdown and LaTeX from the scores of its runs."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.tables import Run, build_cells, code_differences, describe
from tabpo.typeset import to_csv, to_latex, to_markdown


def main(argv: list[str] | None = None) -> None:
    """Read scores and provenance, build the cells once, write them three times."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the table's entry and its runs")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="scores of the runs, in their order")
    parser.add_argument("--provenance", type=Path, nargs="*", default=[], help="provenance of the trained runs")
    parser.add_argument("--output-csv", type=Path, required=True)
    parser.add_argument("--output-md", type=Path, required=True)
    parser.add_argument("--output-tex", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = args.settings
    runs = [
        Run(**run, scores=json.loads(path.read_text())) for run, path in zip(settings["runs"], args.scores, strict=True)
    ]
    cells = build_cells(runs, rows=settings["rows"], metrics=settings["metrics"], baseline=settings["baseline"])
    differing = code_differences(
        [json.loads(path.read_text()) for path in args.provenance], strict=settings["strict_code"]
    )
    text = describe(settings, runs, cells, differing)
    logging.info("%d runs, %d cells", len(runs), len(cells))
    write_whole(args.output_csv, to_csv(cells))
    write_whole(args.output_md, to_markdown(cells, layout=settings["layout"], **text))
    write_whole(args.output_tex, to_latex(cells, layout=settings["layout"], **text))


if __name__ == "__main__":
    exit_on_error(main)
