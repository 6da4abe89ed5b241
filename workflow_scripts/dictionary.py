"""Score longest matches of training mentions, once with each mention's label and once with the most frequent label."""

import argparse
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.inference.dictionary import annotate, best_threshold, build_dictionary, majority
from tabpo.metrics.by_cluster import cluster_counts, clusters_metadata
from tabpo.metrics.scores import score, strict_f1
from tabpo.records import ClusterCounts, Document, Prediction, Prompt, read_records, write_records

PARTS = ("train", "select", "test")
ROWS = ("dictionary", "majority")


def main(argv: list[str] | None = None) -> None:
    """Build dictionaries from train, choose thresholds on dev_select, write predictions and scores for test."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    for part in PARTS:
        parser.add_argument(f"--{part}-prompts", type=Path, required=True)
        parser.add_argument(f"--{part}-documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    for row in ROWS:
        parser.add_argument(f"--output-{row}-predictions", type=Path, required=True)
        parser.add_argument(f"--output-{row}-scores", type=Path, required=True)
        parser.add_argument(
            f"--output-{row}-counts", type=Path, required=True, help="counts of each cluster of documents"
        )
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    prompts = {part: read_records(getattr(args, f"{part}_prompts"), Prompt) for part in PARTS}
    documents = {part: read_records(getattr(args, f"{part}_documents"), Document) for part in PARTS}
    units = {part: units_of_prompts(documents[part], [item.prompt_id for item in prompts[part]]) for part in PARTS}

    answers = [prompt.answer for prompt in prompts["test"]]
    dictionary = build_dictionary(units["train"])
    for row, entries in zip(ROWS, (dictionary, majority(dictionary)), strict=True):
        threshold = best_threshold(
            entries, units["select"], lambda answers_of: strict_f1(units["select"], answers_of, ontology)
        )
        predictions = [annotate(entries, unit, threshold) for unit in units["test"]]
        scores, by_unit = score("test", units["test"], predictions, answers, ontology, completions=None)
        counts = cluster_counts(documents["test"], units["test"], by_unit, predictions)
        write_records(getattr(args, f"output_{row}_predictions"), Prediction, predictions)
        write_json(getattr(args, f"output_{row}_scores"), scores)
        write_records(getattr(args, f"output_{row}_counts"), ClusterCounts, counts, clusters_metadata(counts))
        logging.info("%s: %d entries, threshold %.2f", row, len(entries.entries), threshold)


if __name__ == "__main__":
    exit_on_error(main)
