"""Write a prompt for each test sentence that a model is asked to complete from its first half."""

import argparse
import logging
from pathlib import Path

from tabpo.data.memorisation import memorisation_prompts
from tabpo.errors import exit_on_error
from tabpo.records import Document, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Leave out short sentences, and write the prompts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    prompts, _ = memorisation_prompts(read_records(args.documents, Document))
    write_records(args.output, Prompt, prompts)
    logging.info("%d prompts", len(prompts))


if __name__ == "__main__":
    exit_on_error(main)
