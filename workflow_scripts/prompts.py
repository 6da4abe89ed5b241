"""Write one prompt and gold answer for each unit, and divide dev into two halves of whole groups."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.data.prompts import Style, build_prompts
from tabpo.data.splitting import halve_dev
from tabpo.data.validation import check_annotated, check_asked, check_splits
from tabpo.errors import exit_on_error
from tabpo.records import SPLITS, Document, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Refuse splits that share a group or have no annotation, and units that lose all relations; write the prompts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: format of the prompts")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output-train", type=Path, required=True)
    parser.add_argument("--output-dev-confusion", type=Path, required=True)
    parser.add_argument("--output-dev-select", type=Path, required=True)
    parser.add_argument("--output-test", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    documents = {split: read_records(getattr(args, split), Document) for split in SPLITS}
    check_splits(documents)
    check_annotated(documents)
    check_asked(documents, args.settings["unit"])
    confusion, select = halve_dev(documents["dev"])
    parts = (
        (args.output_train, documents["train"]),
        (args.output_dev_confusion, confusion),
        (args.output_dev_select, select),
        (args.output_test, documents["test"]),
    )
    style = Style(**args.settings)
    for path, part in parts:
        prompts = build_prompts(part, ontology, style, documents["train"])
        write_records(path, Prompt, prompts)
        logging.info("%s: %d prompts of %d documents", path, len(prompts), len(part))


if __name__ == "__main__":
    exit_on_error(main)
