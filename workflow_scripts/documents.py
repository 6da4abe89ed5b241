"""Convert published files or generated texts to documents of one format, and write the data set's card."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import write_json, write_whole
from tabpo.data.card import build_card
from tabpo.data.corpus import read_corpus
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, write_records
from tabpo.reports.card_page import possible_names_warning, render_card


def main(argv: list[str] | None = None) -> None:
    """Read or generate each split, check its labels, and write it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source, generate, private, dev_share")
    parser.add_argument(
        "--sources", type=Path, nargs="*", default=[], help="files of train, dev, test; of train, test; or none"
    )
    for name in ("ontology", *(f"output-{split}" for split in SPLITS), "output-card", "output-page"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology, settings = read_ontology(args.ontology), args.settings
    splits = {0: (), 2: ("train", "test"), 3: SPLITS}[len(args.sources)]
    corpus = read_corpus(settings, dict(zip(splits, args.sources, strict=True)), ontology)
    card = {**settings, **build_card(corpus.documents, ontology, corpus.variants, corpus.noticed)}
    for split, documents in corpus.documents.items():
        path = getattr(args, f"output_{split}")
        write_records(path, Document, documents)
        without = card["splits"][split]["documents_without_spans"]
        logging.info("%s: %d documents of %s, %d without annotation", path, len(documents), settings["source"], without)
    if settings["private"] and "possible_names" in card:
        logging.warning(possible_names_warning(card["possible_names"]))
    write_json(args.output_card, card)
    write_whole(args.output_page, render_card(settings["source"], card))


if __name__ == "__main__":
    exit_on_error(main)
