"""Generate a greedy answer, or several samples, to every prompt of a split with one trained model."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.errors import exit_on_error
from tabpo.inference.answer import answer_prompts
from tabpo.models.loading import less_per_pass, load_frozen, naming_less_memory, set_threads
from tabpo.models.tokenizer import load_tokenizer
from tabpo.processes.parts import kept_parts, parts_of
from tabpo.records import Completion, Prompt, read_records, write_records
from tabpo.training.checkpoints import run_key
from tabpo.training.provenance import input_hashes


def main(argv: list[str] | None = None) -> None:
    """Load the model, generate, and write the completions in the order of the prompts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings",
        type=json.loads,
        required=True,
        help="JSON: what generation_settings or sample_settings of tabpo.study.jobs returns",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, nargs="?", help="ontology of the answers, for constraint json_schema")
    parser.add_argument("--output", type=Path, required=True, help="completions")
    args = parser.parse_args(argv)

    settings, numerics = args.settings, args.settings["numerics"]
    set_threads(numerics)
    ontology = read_ontology(args.ontology) if args.ontology else None
    inputs = {"model": args.model, "prompts": args.prompts} | ({"ontology": args.ontology} if args.ontology else {})
    each = kept_parts(parts_of(args.output), run_key(json.dumps(settings), input_hashes(inputs)))
    prompts, tokenizer = read_records(args.prompts, Prompt), load_tokenizer(args.model)
    with naming_less_memory(less_per_pass("generation.batch_size", settings["batch_size"])):
        model = load_frozen(args.model, numerics)
        completions = answer_prompts(model, tokenizer, prompts, settings, ontology, each)
    logging.info("%d answers", len(completions))
    write_records(args.output, Completion, completions)
    parts_of(args.output).unlink(missing_ok=True)


if __name__ == "__main__":
    exit_on_error(main)
