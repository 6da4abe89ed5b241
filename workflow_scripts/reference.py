"""Score both completions of every pair with the frozen SFT model, once for all methods of a pairing."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import ConfigError, exit_on_error
from tabpo.models.loading import less_per_pass, load_frozen, naming_less_memory, set_threads
from tabpo.models.tokenizer import load_tokenizer
from tabpo.processes.parts import kept_parts, parts_of
from tabpo.records import Pair, Prompt, Reference, read_records, write_records
from tabpo.scoring.reference import reference_key, score_references
from tabpo.scoring.tokenise import encode_pairs
from tabpo.study.training import SCORER_VERSION
from tabpo.training.checkpoints import run_key


def main(argv: list[str] | None = None) -> None:
    """Read SFT model, pairs and prompts; write the reference file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: numerics, limits, batch_size, quantize"
    )
    parser.add_argument("--scorer-version", type=int, required=True, help="the version the study asks for")
    parser.add_argument("--sft", type=Path, required=True, help="folder of the SFT model")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the training split")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.scorer_version != SCORER_VERSION:
        raise ConfigError(f"--scorer-version {args.scorer_version}: this code is version {SCORER_VERSION}")

    numerics, quantize = args.settings["numerics"], args.settings["quantize"]
    set_threads(numerics)
    tokenizer = load_tokenizer(args.sft)
    pairs = encode_pairs(
        tokenizer,
        read_records(args.prompts, Prompt),
        read_records(args.pairs, Pair),
        references=None,
        limits=args.settings["limits"],
    )
    size, key = args.settings["batch_size"], reference_key(args.sft, args.pairs, args.prompts, numerics, quantize)
    each = kept_parts(parts_of(args.output), run_key(json.dumps(args.settings), key))
    with naming_less_memory(less_per_pass("training.preference.micro_batch_size", size)):
        model = load_frozen(args.sft, numerics, quantize)
        references = score_references(model, pairs, tokenizer.pad_token_id, numerics, size, each)
    write_records(args.output, Reference, references, key)
    parts_of(args.output).unlink()
    logging.info("log-probs of pairs: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
