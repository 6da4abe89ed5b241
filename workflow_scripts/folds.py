"""Divide the training prompts into folds of whole groups; write each fold's prompts and the prompts outside it."""

import argparse
import logging
from pathlib import Path

from tabpo.data.splitting import fold_prompts
from tabpo.errors import exit_on_error
from tabpo.records import Document, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read prompts and documents of train; write two files for each fold."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument(
        "--output-train",
        type=Path,
        nargs="+",
        required=True,
        help="prompts outside each fold, in the order of the folds",
    )
    parser.add_argument(
        "--output-held-out", type=Path, nargs="+", required=True, help="prompts of each fold, in the same order"
    )
    args = parser.parse_args(argv)

    prompts, documents = read_records(args.prompts, Prompt), read_records(args.documents, Document)
    folds = fold_prompts(prompts, documents, len(args.output_train))
    for (train, held_out), train_path, held_out_path in zip(
        folds, args.output_train, args.output_held_out, strict=True
    ):
        write_records(train_path, Prompt, train)
        write_records(held_out_path, Prompt, held_out)
        logging.info("%s: %d prompts of %d", held_out_path, len(held_out), len(prompts))


if __name__ == "__main__":
    exit_on_error(main)
