"""Write one table as CSV, Markdown and LaTeX from the scores of its runs, and the tests of its differences."""

import json
import logging

from tabpo.data.card import not_asked
from tabpo.errors import exit_on_error
from tabpo.names import WITHOUT_MODEL, run_folders
from tabpo.tables.cells import code_differences
from tabpo.tables.files import read_arguments, scored_run, table_files, write_files


def main(argv: list[str] | None = None) -> None:
    """Read scores, counts and provenance of all runs; write all files of the table."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args = read_arguments(__doc__, argv)

    settings = args.settings
    runs, provenance = [], []
    for run, folder in run_folders(settings["runs"]):
        made = {}
        if run["method"] not in WITHOUT_MODEL:
            made = json.loads((args.results / folder / "provenance.json").read_text())
            provenance.append(made)
        runs.append(scored_run(run, args.results / folder, settings, made))
    differing = code_differences(provenance, strict=settings["strict_code"])
    left_out = {
        name: not_asked(json.loads((args.results / name / "card.json").read_text()), "test")
        for name in settings["by_sentence"]
    }
    write_files(args, table_files(settings, runs, differing, left_out))
    logging.info("%d runs in a table", len(runs))


if __name__ == "__main__":
    exit_on_error(main)
