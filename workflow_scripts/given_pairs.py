"""Write the preference pairs that the data set contains, and how much their two answers differ."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.readers.preferences import read_preferences
from tabpo.errors import exit_on_error
from tabpo.pairs.audit import describe_given
from tabpo.pairs.draw import Pairing, token_encoder
from tabpo.pairs.given import given_pairs
from tabpo.records import Pair, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the prompts and their source rows; write the pairs, and the distances between their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing, its seed, limits")
    parser.add_argument("--sources", type=Path, nargs="+", required=True, help="source files of all splits")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the split whose pairs are written")
    parser.add_argument("--base", type=Path, required=True, help="folder with the model's tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-drawn", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    settings = args.settings
    limit = settings["limits"]["max_completion_tokens"]
    pairing = Pairing(settings["name"], 1, 1, settings["flip_rate"], settings["seed"], limit)
    by_name = {row.name: row for path in args.sources for row in read_preferences(path)}
    rows = [by_name[prompt.prompt_id] for prompt in read_records(args.prompts, Prompt)]
    pairs, tally = given_pairs(rows, pairing, token_encoder(args.base))

    write_json(args.output_drawn, {"pairing": settings} | describe_given(tally))
    write_records(args.output, Pair, pairs)
    logging.info("pairs of the data set: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
