"""Parse, ground and score the completions of one run; the name of the prompt file is the split."""

import argparse
import logging
from pathlib import Path

from tabpo.answers.grounding import read_completions
from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.metrics.by_cluster import cluster_counts, clusters_metadata
from tabpo.metrics.looks import record_look
from tabpo.metrics.scores import score
from tabpo.records import ClusterCounts, Completion, Document, Prediction, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Write the predictions, their scores beside the scores of the gold answers, and the counts by cluster."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--look", type=Path, nargs="?", help="file that records the settings as scored on test")
    parser.add_argument("--output-predictions", type=Path, required=True)
    parser.add_argument("--output-scores", type=Path, required=True)
    parser.add_argument("--output-counts", type=Path, required=True, help="counts of each cluster of documents")
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    prompts = read_records(args.prompts, Prompt)
    completions = read_records(args.completions, Completion)
    documents = read_records(args.documents, Document)
    units = units_of_prompts(documents, [prompt.prompt_id for prompt in prompts])

    predictions = read_completions(completions, units, ontology, str(args.completions))
    answers = [prompt.answer for prompt in prompts]
    scores, by_unit = score(args.prompts.stem, units, predictions, answers, ontology, completions)
    counts = cluster_counts(documents, units, by_unit, predictions)

    if args.look is not None:
        record_look(args.look)
    write_records(args.output_predictions, Prediction, predictions)
    write_json(args.output_scores, scores)
    write_records(args.output_counts, ClusterCounts, counts, clusters_metadata(counts))
    logging.info("%d answers scored: %s", len(units), args.output_scores)


if __name__ == "__main__":
    exit_on_error(main)
