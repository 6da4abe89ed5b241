"""Prove where confusions and pairs come from, that splits share nothing, and that all answers are what is asked for."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.isolation import prove_isolation
from tabpo.data.ontology import read_ontology
from tabpo.data.pair_proof import prove_answers, prove_gold
from tabpo.data.units import units_of_prompts
from tabpo.errors import exit_on_error
from tabpo.records import PROMPT_SPLITS, Document, Pair, Prompt, read_records


def main(argv: list[str] | None = None) -> None:
    """Read ids, pairs, prompts and documents, prove, write the counts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing")
    parser.add_argument("--ids", type=Path, nargs="*", help="files of prompts that gave confusions, one a line")
    parser.add_argument("--pairs", type=Path, required=True)
    for split in PROMPT_SPLITS:  # preferences have no dev_confusion, no documents and no ontology
        parser.add_argument(f"--{split.replace('_', '-')}", type=Path, nargs="?", help="prompts of the split")
    parser.add_argument("--documents", type=Path, nargs="?", help="of train")
    parser.add_argument("--ontology", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    prompts = {split: read_records(path, Prompt) for split in PROMPT_SPLITS if (path := getattr(args, split))}
    ids = [prompt_id for path in args.ids for prompt_id in path.read_text().splitlines()]
    pairs = read_records(args.pairs, Pair)
    proof = prove_isolation(args.settings["heldout"], ids, pairs, prompts)
    train = prompts["train"]
    if args.documents is None:
        proof["answers"] = prove_gold(pairs, train)
    else:
        units = units_of_prompts(read_records(args.documents, Document), [prompt.prompt_id for prompt in train])
        proof["answers"] = prove_answers(pairs, train, units, read_ontology(args.ontology))
    write_json(args.output, proof)
    logging.info("isolation holds: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
