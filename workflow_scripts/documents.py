"""Convert published files or generated texts to documents of one format, and write the data set's card."""

import argparse
import importlib
import json
import logging
from collections import Counter
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import write_json, write_whole
from tabpo.data.card import build_card
from tabpo.data.spellings import conform
from tabpo.data.splitting import carve_dev
from tabpo.data.validation import check_labels
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, write_records
from tabpo.reports.card_page import render_card


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

    ontology = read_ontology(args.ontology)
    settings, generate = args.settings, args.settings["generate"]
    kind = "readers" if generate is None else "generated"
    dataset = importlib.import_module(f"tabpo.data.{kind}.{settings['source']}")
    if generate is None:
        origins = dict(zip(SPLITS if len(args.sources) == 3 else ("train", "test"), args.sources, strict=True))
        noticed = {split: Counter() for split in origins}
        documents = {}
        for split, path in origins.items():
            counted = {"noticed": noticed[split]}
            options = {"custom": {"ontology": ontology, **counted}, "scierc": counted}
            documents[split] = dataset.read_documents(path, **options.get(settings["source"], {}))
    else:
        origins = {split: f"{settings['source']} {split}" for split in SPLITS}
        noticed = {}
        documents = {split: dataset.generate(split, generate[split], generate["seeds"][split]) for split in SPLITS}

    variants = {}
    for split, origin in origins.items():
        documents[split], variants[split] = conform(documents[split], ontology)
        check_labels(documents[split], ontology, origin, private=settings["private"])
    if "dev" not in documents:
        documents["train"], documents["dev"] = carve_dev(documents["train"], settings["dev_share"])
    card = build_card({split: documents[split] for split in SPLITS}, ontology, variants, noticed)
    for split in SPLITS:
        path = getattr(args, f"output_{split}")
        write_records(path, Document, documents[split])
        logging.info("%s: %d documents of %s", path, len(documents[split]), settings["source"])
    write_json(args.output_card, {**settings, **card})
    write_whole(args.output_page, render_card(settings["source"], {**settings, **card}))


if __name__ == "__main__":
    exit_on_error(main)
