"""Convert preferences to rows of one format and to prompts for SFT; write the data set's card."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from tabpo.artefacts import write_json, write_whole
from tabpo.data.preference_card import preference_card
from tabpo.data.readers.preferences import as_documents, as_prompts, read_all, read_possible, with_dev
from tabpo.data.validation import check_splits
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Preference, Prompt, write_records
from tabpo.reports.card_page import render_card


def main(argv: list[str] | None = None) -> None:
    """Read each split, refuse prompts and groups that occur in two splits, and write the prompts and the card."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: from document_settings")
    parser.add_argument(
        "--sources", type=Path, nargs="+", required=True, help="files of train, dev, test; or of train, test"
    )
    parser.add_argument("--output-train", type=Path, required=True)
    parser.add_argument("--output-dev-select", type=Path, required=True)
    parser.add_argument("--output-test", type=Path, required=True)
    parser.add_argument("--output-preferences", type=Path, nargs=3, required=True, help="train, dev_select, test")
    parser.add_argument("--output-card", type=Path, required=True)
    parser.add_argument("--output-page", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = args.settings
    origins = dict(zip(SPLITS if len(args.sources) == 3 else ("train", "test"), args.sources, strict=True))
    noticed = {split: Counter() for split in origins}
    read = read_possible if settings["faulty_rows"] == "leave_out" else read_all
    rows = {split: read(path, settings["columns"], noticed[split]) for split, path in origins.items()}
    rows = with_dev(rows, settings["dev_share"])
    check_splits({split: as_documents(items) for split, items in rows.items()})
    card = {**settings, **preference_card(rows, noticed)}
    outputs = {"train": args.output_train, "dev": args.output_dev_select, "test": args.output_test}
    for (split, path), preferences in zip(outputs.items(), args.output_preferences, strict=True):
        write_records(preferences, Preference, rows[split])
        write_records(path, Prompt, as_prompts(rows[split]))
        logging.info("%s: %d preferences", path, len(rows[split]))
    write_json(args.output_card, card)
    write_whole(args.output_page, render_card(settings["source"], card))


if __name__ == "__main__":
    exit_on_error(main)
