"""Count what a second annotator has annotated of each split, left out, and written in ways that are passed over."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import write_json
from tabpo.data.second_annotator import second_card
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, read_records


def main(argv: list[str] | None = None) -> None:
    """Read both annotators' documents and write the card of the second annotations."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source, private, all_splits, files")
    parser.add_argument("--documents", type=Path, nargs=3, required=True, help="documents of train, dev, test")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    documents = {split: read_records(path, Document) for split, path in zip(SPLITS, args.documents, strict=True)}
    second = {split: Path(path) for split, path in args.settings["files"].items()}
    card = second_card(second, documents, read_ontology(args.ontology), args.settings)
    write_json(args.output, {"private": args.settings["private"], "splits": card})


if __name__ == "__main__":
    exit_on_error(main)
