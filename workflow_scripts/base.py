"""Make the model folder that SFT starts from: tokenizer, weights (a manifest for hub models), and the weights' hash."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import whole_directory
from tabpo.errors import exit_on_error
from tabpo.models.base import make_base
from tabpo.records import Prompt, read_records


def main(argv: list[str] | None = None) -> None:
    """Read the training prompts and write the folder of the base model."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: source (scratch, folder, gguf or hub)"
    )
    parser.add_argument("--prompts", type=Path, required=True, help="training prompts")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    args = parser.parse_args(argv)

    with whole_directory(args.output) as folder:
        make_base(args.settings["source"], read_records(args.prompts, Prompt), folder)


if __name__ == "__main__":
    exit_on_error(main)
