"""Choose the variant of the prompts in which a prompted model is asked about test, by its scores on dev_select."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.tables.prompted import choose_variant


def main(argv: list[str] | None = None) -> None:
    """Read the scores of every variant on dev_select, and write the chosen one with all values."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: metric, variants")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="scores of the variants, in this order")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    scores = [json.loads(path.read_text()) for path in args.scores]
    selection = choose_variant(args.settings["metric"], dict(zip(args.settings["variants"], scores, strict=True)))
    logging.info("%d variants", len(scores))
    write_json(args.output, selection)


if __name__ == "__main__":
    exit_on_error(main)
