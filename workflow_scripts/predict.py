"""Generate a greedy answer to every prompt of a split with one trained model."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.errors import exit_on_error
from tabpo.inference.answer import answer_prompts
from tabpo.models.loading import set_threads
from tabpo.processes.parts import kept_parts, parts_of
from tabpo.records import Completion, Prompt, read_records, write_records
from tabpo.training.checkpoints import run_key
from tabpo.training.provenance import input_hashes


def main(argv: list[str] | None = None) -> None:
    """Load the model, generate, and write the completions in the order of the prompts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: what tabpo.study.jobs.generation_settings returns"
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, nargs="?", help="ontology of the answers, for constraint json_schema")
    parser.add_argument("--output", type=Path, required=True, help="completions")
    args = parser.parse_args(argv)

    set_threads(args.settings["numerics"])
    ontology = read_ontology(args.ontology) if args.ontology else None
    inputs = {"model": args.model, "prompts": args.prompts} | ({"ontology": args.ontology} if args.ontology else {})
    each = kept_parts(parts_of(args.output), run_key(json.dumps(args.settings), input_hashes(inputs)))
    completions = answer_prompts(args.model, read_records(args.prompts, Prompt), args.settings, ontology, each)
    logging.info("%d answers", len(completions))
    write_records(args.output, Completion, completions)
    parts_of(args.output).unlink(missing_ok=True)


if __name__ == "__main__":
    exit_on_error(main)
