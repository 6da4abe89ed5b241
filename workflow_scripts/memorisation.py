"""Count how many test sentences each model completes verbatim from their first half."""

import argparse
import json
import logging
from pathlib import Path

import pandas as pd

from tabpo.artefacts import write_whole
from tabpo.data.memorisation import LONGEST, SHORTEST, count_verbatim
from tabpo.errors import exit_on_error
from tabpo.privacy import marked
from tabpo.records import Completion, Prompt, read_records
from tabpo.tables.typeset import markdown_table

NOTES = (
    f"A sentence has at least {SHORTEST} words. A model gets the first half of them and answers greedily. Verbatim: the"
    f" answer begins with the other half ({LONGEST} words of it at most), white space aside (arXiv 2202.07646,"
    " 2310.18018). Models are those before SFT.",
    "A lower bound of what a model has read: one that does not complete a sentence may still know it.",
)


def main(argv: list[str] | None = None) -> None:
    """Write the counts, which contain no text, as CSV and as a page."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: dataset, models, private")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--completions", type=Path, nargs="+", required=True, help="of each model, in this order")
    parser.add_argument("--output-csv", type=Path, required=True)
    parser.add_argument("--output-page", type=Path, required=True)
    args = parser.parse_args(argv)

    settings, prompts = args.settings, read_records(args.prompts, Prompt)
    verbatim = [count_verbatim(prompts, read_records(path, Completion)) for path in args.completions]
    counts = pd.DataFrame({"model": settings["models"], "sentences": len(prompts), "verbatim": verbatim})
    page = markdown_table(counts.astype(str), f"Test sentences of {settings['dataset']} completed verbatim.", NOTES)
    write_whole(args.output_csv, counts.to_csv(index=False, lineterminator="\n"))
    write_whole(args.output_page, marked(page, settings["private"]))
    logging.info("%d models", len(verbatim))


if __name__ == "__main__":
    exit_on_error(main)
