"""Score how one run ranks held-out pairs, against the SFT model; the split is the name of the files."""

import argparse
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.metrics.preferences import pair_scores
from tabpo.records import Reference, read_records


def main(argv: list[str] | None = None) -> None:
    """Read the log-probs of both models; write the scores."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, required=True, help="log-probs under the model of the run")
    parser.add_argument("--reference", type=Path, required=True, help="log-probs under the SFT model of its seed")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    policy = read_records(args.policy, Reference)
    scores = pair_scores(policy, read_records(args.reference, Reference))
    items = {"metrics": {}}  # as tables look for them: of annotated items there are none
    write_json(args.output, {"split": args.policy.stem, "pairs": len(policy), **scores, **items})
    logging.info("pairs scored: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
