"""Write the preference pairs that the data set contains, and how much their two answers differ."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.pairs.audit import describe_given
from tabpo.pairs.draw import Pairing, token_encoder
from tabpo.pairs.given import given_pairs
from tabpo.records import Pair, Preference, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the preferences of one split; write the pairs, and the distances between their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing, its seed, limits")
    parser.add_argument("--preferences", type=Path, required=True, help="the split whose pairs are written")
    parser.add_argument("--base", type=Path, required=True, help="folder with the model's tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-drawn", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    settings = args.settings
    limit = settings["limits"]["max_completion_tokens"]
    pairing = Pairing(settings["name"], 1, 1, settings["flip_rate"], settings["seed"], limit)
    pairs, tally = given_pairs(read_records(args.preferences, Preference), pairing, token_encoder(args.base))

    write_json(args.output_drawn, {"pairing": settings} | describe_given(tally))
    write_records(args.output, Pair, pairs)
    logging.info("pairs of the data set: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
