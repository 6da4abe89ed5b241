"""Count how different the samples of each prompt are, and how good the best of them is, by cluster of documents."""

import argparse
import logging
from pathlib import Path

from tabpo.answers.grounding import read_completions
from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.errors import exit_on_error
from tabpo.metrics.by_cluster import clusters_metadata, sampled_counts
from tabpo.records import ClusterCounts, Completion, Document, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the samples, which stand in a row for each prompt, and write their counts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="counts of each cluster of documents")
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    documents = read_records(args.documents, Document)
    samples = read_records(args.samples, Completion)
    prompts = read_records(args.prompts, Prompt)
    each = max(1, len(samples) // len(prompts))
    units = units_of_prompts(documents, [prompt.prompt_id for prompt in prompts])
    repeated = [unit for unit in units for _ in range(each)]
    predictions = read_completions(samples, repeated, ontology, str(args.samples))

    counts = sampled_counts(documents, units, predictions, ontology)
    write_records(args.output, ClusterCounts, counts, clusters_metadata(counts))
    logging.info("%d samples of %d prompts", len(samples), len(prompts))


if __name__ == "__main__":
    exit_on_error(main)
