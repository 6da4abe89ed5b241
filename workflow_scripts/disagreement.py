"""Count where two annotators of the same texts differ, as confusions of the first annotator's labels."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import sha256_text, write_whole
from tabpo.confusions.counts import count_placed
from tabpo.data.second_annotator import read_second, second_reading
from tabpo.errors import exit_on_error
from tabpo.records import Confusion, Document, Prompt, read_records, write_records
from tabpo.reports.confusion_figure import write_heat_maps
from tabpo.study.pairings import DISAGREEMENT


def main(argv: list[str] | None = None) -> None:
    """Read both annotations; write the confusion table, the ids of its prompts and a heat map."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source, private, all_splits")
    parser.add_argument("--title", required=True)
    parser.add_argument(
        "--second",
        type=Path,
        nargs="+",
        required=True,
        help="the second annotator's files or folders for train and dev",
    )
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="prompts of train and dev_confusion")
    parser.add_argument(
        "--documents", type=Path, nargs="+", required=True, help="documents of train and dev, by the first annotator"
    )
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-ids", type=Path, required=True)
    parser.add_argument("--output-figure", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    documents = [document for path in args.documents for document in read_records(path, Document)]
    prompt_ids = [prompt.prompt_id for path in args.prompts for prompt in read_records(path, Prompt)]
    second = read_second(args.second, documents, ontology, args.settings)
    units, said = second_reading(prompt_ids, documents, second)
    rows, left_out = count_placed(units, said, ontology)
    logging.info("%d of %d prompts have a second annotation", len(units), len(prompt_ids))

    ids = "".join(f"{prompt_id}\n" for prompt_id in sorted(unit.prompt_id for unit in units))
    metadata = {"ids_sha256": sha256_text(ids), "split": DISAGREEMENT, "n": str(len(units))}
    write_whole(args.output_ids, ids)
    write_heat_maps(args.output_figure, rows, args.title)
    write_records(args.output, Confusion, rows, metadata | {name: str(count) for name, count in left_out.items()})


if __name__ == "__main__":
    exit_on_error(main)
