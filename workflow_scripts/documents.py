"""Read published files, or generate texts, into documents of one format; write the dataset's card beside them."""

import argparse
import importlib
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.card import build_card
from tabpo.data.checks import check_labels
from tabpo.data.ontology import read_ontology
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, write_records


def main(argv: list[str] | None = None) -> None:
    """Read or generate each split, check its labels, write it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source and generate")
    parser.add_argument("--sources", type=Path, nargs="*", default=[], help="train, dev, test; none for generated ones")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output-train", type=Path, required=True)
    parser.add_argument("--output-dev", type=Path, required=True)
    parser.add_argument("--output-test", type=Path, required=True)
    parser.add_argument("--output-card", type=Path, required=True)
    args = parser.parse_args(argv)

    source, generate = args.settings["source"], args.settings["generate"]
    dataset = importlib.import_module(f"tabpo.data.{source}")
    if generate is None:
        origins = dict(zip(SPLITS, args.sources, strict=True))
        documents = {split: dataset.read_documents(path) for split, path in origins.items()}
    else:
        origins = {split: f"{source} {split}" for split in SPLITS}
        documents = {split: dataset.generate(split, generate[split], generate["seeds"][split]) for split in SPLITS}

    ontology = read_ontology(args.ontology)
    outputs = dict(zip(SPLITS, (args.output_train, args.output_dev, args.output_test), strict=True))
    for split, path in outputs.items():
        check_labels(documents[split], ontology, str(origins[split]))
        write_records(path, Document, documents[split])
        logging.info("%s: %d documents of %s", path, len(documents[split]), source)
    write_json(args.output_card, {**args.settings, **build_card(documents, ontology)})


if __name__ == "__main__":
    exit_on_error(main)
