"""Generate a greedy answer to every prompt of a split with one trained model, by vLLM in an environment of its own."""

import argparse
import json
import logging
import os
import signal
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.errors import exit_on_error
from tabpo.inference.grammar import answer_grammar
from tabpo.inference.vllm import Caps, generate_by_vllm
from tabpo.models.tokenizer import encode_prompt, load_tokenizer
from tabpo.processes.gpus import visible_gpus
from tabpo.records import Completion, Prompt, read_records, write_records


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
    # A warning ends no process of vLLM: none of its answers could be kept before the last.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    settings, limits = args.settings, args.settings["limits"]
    caps = Caps(sum(limits.values()), limits["max_completion_tokens"], settings["batch_size"])
    tokenizer = load_tokenizer(args.model)
    prompts = [
        (prompt.prompt_id, encode_prompt(tokenizer, prompt, limits, number))
        for number, prompt in enumerate(read_records(args.prompts, Prompt), start=1)
    ]
    grammar = None
    if settings["constraint"] == "json_schema":
        asked = {"clusters": settings["unit"] == "document", "max_new_tokens": caps.new_tokens}
        grammar = answer_grammar(tokenizer, read_ontology(args.ontology), **asked)
    gpus = len(visible_gpus(os.environ))
    completions = generate_by_vllm(
        args.model, tokenizer, prompts, numerics=settings["numerics"], gpus=gpus, caps=caps, grammar=grammar
    )
    logging.info("%d answers", len(completions))
    write_records(args.output, Completion, completions)


if __name__ == "__main__":
    exit_on_error(main)
