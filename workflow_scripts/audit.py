"""Prove that pairs may be used for training; write this audit of them as JSON and as a Markdown page."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import write_json, write_whole
from tabpo.errors import exit_on_error
from tabpo.names import GIVEN
from tabpo.pairs.isolation import prove_isolation
from tabpo.pairs.proof import prove_answers, prove_gold
from tabpo.pairs.reference_audit import gold_audit, reference_audit
from tabpo.records import PROMPT_SPLITS, Document, Pair, Prompt, Reference, read_records
from tabpo.reports.pair_page import pair_page


def main(argv: list[str] | None = None) -> None:
    """Read the pairs, their sources and their reference log-probs; check them; write the audit and the page."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing")
    parser.add_argument("--title", required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--drawn", type=Path, required=True, help="JSON: statistics of the drawing")
    parser.add_argument(
        "--ids", type=Path, nargs="*", help="files with ids of the prompts of the confusions, one id per line"
    )
    for split in PROMPT_SPLITS:  # data sets of preferences have no dev_confusion, documents or ontology
        parser.add_argument(f"--{split.replace('_', '-')}", type=Path, nargs="?", help="prompts of the split")
    parser.add_argument("--documents", type=Path, nargs="?", help="documents of train")
    parser.add_argument("--ontology", type=Path, nargs="?")
    parser.add_argument("--reference", type=Path, required=True, help="log-probs of the pairs")
    parser.add_argument("--gold", type=Path, required=True, help="log-probs of the gold answers of dev_select")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-page", type=Path, required=True)
    args = parser.parse_args(argv)

    prompts = {split: read_records(path, Prompt) for split in PROMPT_SPLITS if (path := getattr(args, split))}
    train, pairs = prompts["train"], read_records(args.pairs, Pair)
    ids = [prompt_id for path in args.ids for prompt_id in path.read_text().splitlines()]
    proof = prove_isolation(args.settings["heldout"], ids, pairs, prompts)
    if args.documents is None:
        proof["answers"] = prove_gold(pairs, train)
    else:
        units = units_of_prompts(read_records(args.documents, Document), [prompt.prompt_id for prompt in train])
        proof["answers"] = prove_answers(pairs, train, units, read_ontology(args.ontology))

    labelled = args.settings["confusions"] != GIVEN
    gold = gold_audit(prompts["dev_select"], read_records(args.gold, Reference), labelled=labelled)
    reference = reference_audit(pairs, read_records(args.reference, Reference), train) | {"held_out": gold}
    audit = {"drawn": json.loads(args.drawn.read_text()), "proof": proof, "reference": reference}
    write_json(args.output, audit)
    write_whole(args.output_page, pair_page(args.title, audit, pairs))
    logging.info("the pairs passed all checks: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
