"""Draw which tokens of one public pair each loss moves at its first step, for one model and data set."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Pair, Prompt, Reference, read_records
from tabpo.reports.gradient_figure import write_gradient_figure
from tabpo.scoring.tokenise import encode_pairs
from tabpo.training.token_gradients import start_gradients, telling_pair


def main(argv: list[str] | None = None) -> None:
    """Read the pairs with their reference log-probs; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: methods, limits")
    parser.add_argument("--title", required=True)
    parser.add_argument("--sft", type=Path, required=True, help="folder of the SFT model, for its tokenizer")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the training split")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True, help="reference log-probs of these pairs")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    tokenizer = load_tokenizer(args.sft)
    pair, reference = telling_pair(read_records(args.pairs, Pair), read_records(args.reference, Reference))
    prompts = read_records(args.prompts, Prompt)
    (example,) = encode_pairs(tokenizer, prompts, [pair], [reference], args.settings["limits"])
    gradients = start_gradients(example, args.settings["methods"])
    logging.info("%d of %d methods", len(gradients), len(args.settings["methods"]))
    tokens = tuple([tokenizer.decode([each]) for each in ids] for ids in (example.chosen_ids, example.rejected_ids))
    differs = (example.chosen_differs, example.rejected_differs)
    write_gradient_figure(args.output, tokens, differs, gradients, args.title)


if __name__ == "__main__":
    exit_on_error(main)
