"""Score how one run ranks held-out pairs, against the SFT model; the name of the files is the split."""

import argparse
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.metrics.by_cluster import clusters_metadata, pair_counts
from tabpo.metrics.looks import record_look
from tabpo.metrics.ranking import mean_scores, pair_scores
from tabpo.records import ClusterCounts, Prompt, Reference, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the log-probs of both models; write the scores, and the counts of each cluster of prompts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, required=True, help="log-probs under the model of the run")
    parser.add_argument("--reference", type=Path, required=True, help="log-probs under the SFT model of its seed")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the pairs")
    parser.add_argument("--look", type=Path, nargs="?", help="file that records the settings as scored on test")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-counts", type=Path, required=True, help="counts of each cluster of prompts")
    args = parser.parse_args(argv)

    policy = read_records(args.policy, Reference)
    pairs = pair_scores(policy, read_records(args.reference, Reference))
    items = {"metrics": {}}  # tables read this key; preferences have no annotated items
    counts = pair_counts(read_records(args.prompts, Prompt), policy, pairs)
    if args.look is not None:
        record_look(args.look)
    write_json(args.output, {"split": args.policy.stem, "pairs": len(pairs), **mean_scores(pairs), **items})
    write_records(args.output_counts, ClusterCounts, counts, clusters_metadata(counts))
    logging.info("pairs scored: %s", args.output)


if __name__ == "__main__":
    exit_on_error(main)
