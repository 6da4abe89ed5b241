"""Count the SFT model's confusions on held-out prompts, and list the ids of these prompts."""

import argparse
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import sha256_text, write_whole
from tabpo.confusions.counts import count_confusions
from tabpo.errors import exit_on_error
from tabpo.records import Confusion, Document, Prediction, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read predictions and gold records; write the confusion table and the ids of the prompts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, nargs="+", required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--split", required=True, help="the pairing's value of `heldout`; stored in the metadata")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-ids", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    prompt_ids = [prompt.prompt_id for path in args.prompts for prompt in read_records(path, Prompt)]
    units = units_of_prompts(read_records(args.documents, Document), prompt_ids)
    predictions = [prediction for path in args.predictions for prediction in read_records(path, Prediction)]
    rows, left_out = count_confusions(units, predictions, read_ontology(args.ontology))
    logging.info("%d rows from %d predictions", len(rows), len(predictions))
    if not rows:
        logging.warning("%s is empty: no pairing can draw from its counts", args.output)

    ids = "".join(f"{prompt_id}\n" for prompt_id in sorted(prompt_ids))
    metadata = {"ids_sha256": sha256_text(ids), "split": args.split, "n": str(len(prompt_ids))}
    write_whole(args.output_ids, ids)
    write_records(args.output, Confusion, rows, metadata | {name: str(count) for name, count in left_out.items()})


if __name__ == "__main__":
    exit_on_error(main)
