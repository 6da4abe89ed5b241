"""Convert a further test split, such as one out of domain, to documents and prompts, and count what it holds."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import write_json
from tabpo.data.card import build_card
from tabpo.data.corpus import read_other_test
from tabpo.data.prompts import Style, build_prompts
from tabpo.data.validation import check_annotated, check_splits
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the split, refuse what it shares with the others, write documents, prompts and a card."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source, private, style")
    parser.add_argument("--source", type=Path, required=True, help="the split's file or folder")
    parser.add_argument("--documents", type=Path, nargs=3, required=True, help="documents of train, dev, test")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output-documents", type=Path, required=True)
    parser.add_argument("--output-prompts", type=Path, required=True)
    parser.add_argument("--output-card", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology, settings, name = read_ontology(args.ontology), args.settings, args.output_documents.stem
    splits = {split: read_records(path, Document) for split, path in zip(SPLITS, args.documents, strict=True)}
    documents, variants, noticed = read_other_test(settings, args.source, ontology)
    check_splits(splits | {name: documents})
    check_annotated({name: documents})
    card = build_card(splits | {name: documents}, ontology, {name: variants}, {name: noticed})
    shared = {pair: counts for pair, counts in card["leaks"].items() if name in pair.split("-", 1)}
    of_split = {"splits": {name: card["splits"][name]}, "leaks": shared}
    write_records(args.output_documents, Document, documents)
    write_records(
        args.output_prompts, Prompt, build_prompts(documents, ontology, Style(**settings["style"]), splits["train"])
    )
    write_json(args.output_card, {"private": settings["private"], **card, **of_split})
    logging.info("%s: %d documents", name, len(documents))


if __name__ == "__main__":
    exit_on_error(main)
