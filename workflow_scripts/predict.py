"""Generate a greedy answer to every prompt of a split with one trained model."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.errors import exit_on_error
from tabpo.inference.constraint import Constraint
from tabpo.inference.generate import generate
from tabpo.inference.vllm import generate_by_vllm
from tabpo.models.loading import autocast, load_frozen, load_tokenizer, set_threads
from tabpo.records import Completion, Prompt, read_records, write_records
from tabpo.scoring.tokenise import encode_prompt


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

    numerics, limits = args.settings["numerics"], args.settings["limits"]
    caps = {"max_new_tokens": limits["max_completion_tokens"], "batch_size": args.settings["batch_size"]}
    set_threads(numerics)
    tokenizer = load_tokenizer(args.model)
    prompts = [
        (prompt.prompt_id, encode_prompt(tokenizer, prompt, limits, number))
        for number, prompt in enumerate(read_records(args.prompts, Prompt), start=1)
    ]
    if args.settings["engine"] == "vllm":
        longest = sum(limits.values())
        completions = generate_by_vllm(
            args.model, tokenizer, prompts, precision=numerics["precision"], max_length=longest, **caps
        )
    else:
        model = load_frozen(args.model, numerics)
        constraint = None
        if args.settings["constraint"] == "json_schema":
            asked = {"clusters": args.settings["unit"] == "document", "max_new_tokens": caps["max_new_tokens"]}
            constraint = Constraint(tokenizer, model.config.vocab_size, read_ontology(args.ontology), **asked)
        with autocast(numerics, model.device.type):
            completions = generate(model, tokenizer, prompts, constraint=constraint, **caps)
    logging.info("%d answers", len(completions))
    write_records(args.output, Completion, completions)


if __name__ == "__main__":
    exit_on_error(main)
