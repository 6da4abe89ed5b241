"""Make the model folder that SFT starts from: tokenizer, weights (a manifest for hub models), and the weights' hash."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import whole_directory
from tabpo.errors import exit_on_error
from tabpo.models.base import make_base
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Preference, Prompt, read_records
from tabpo.scoring.lengths import check_lengths, token_lengths


def main(argv: list[str] | None = None) -> None:
    """Write the folder of the base model, unless a prompt or an answer is longer than its limit."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: source (scratch, folder, gguf or hub), limits"
    )
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="prompts of all splits, train first")
    parser.add_argument("--preferences", type=Path, nargs="*", default=[], help="preferences of all splits")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    args = parser.parse_args(argv)

    prompts = {path.stem: read_records(path, Prompt) for path in args.prompts}
    preferences = {path.stem: read_records(path, Preference) for path in args.preferences}
    with whole_directory(args.output) as folder:
        make_base(args.settings["source"], prompts[args.prompts[0].stem], folder)
        check_lengths(token_lengths(load_tokenizer(folder), prompts, preferences), args.settings["limits"])


if __name__ == "__main__":
    exit_on_error(main)
