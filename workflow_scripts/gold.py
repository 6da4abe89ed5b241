"""Score the gold answers of held-out prompts with the frozen SFT model: what a gate reads at step 0."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.models.loading import less_per_pass, load_frozen, naming_less_memory, set_threads
from tabpo.models.tokenizer import load_tokenizer
from tabpo.processes.parts import kept_parts, parts_of
from tabpo.records import Prompt, Reference, read_records, write_records
from tabpo.scoring.reference import score_gold
from tabpo.scoring.tokenise import encode_examples
from tabpo.training.checkpoints import run_key
from tabpo.training.provenance import input_hashes


def main(argv: list[str] | None = None) -> None:
    """Read SFT model and prompts; write the log-probs of the gold answers, without a rejected side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: numerics, limits, batch_size, quantize"
    )
    parser.add_argument("--sft", type=Path, required=True, help="folder of the SFT model")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    settings = args.settings
    set_threads(settings["numerics"])
    tokenizer = load_tokenizer(args.sft)
    examples = encode_examples(tokenizer, read_records(args.prompts, Prompt), settings["limits"])
    size, hashes = settings["batch_size"], input_hashes({"sft": args.sft, "prompts": args.prompts})
    each = kept_parts(parts_of(args.output), run_key(json.dumps(settings), hashes))
    with naming_less_memory(less_per_pass("training.preference.micro_batch_size", size)):
        model = load_frozen(args.sft, settings["numerics"], settings["quantize"])
        scored = score_gold(model, examples, tokenizer.pad_token_id, settings["numerics"], size, each)
    write_records(args.output, Reference, scored)
    parts_of(args.output).unlink()
    logging.info("scored %d answers", len(scored))


if __name__ == "__main__":
    exit_on_error(main)
