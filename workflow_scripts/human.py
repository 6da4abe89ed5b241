"""Score the second annotator's test documents against the first annotator's, like a model's answers."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import write_json
from tabpo.data.second_annotator import read_second, second_reading
from tabpo.errors import exit_on_error
from tabpo.metrics.by_cluster import cluster_counts, clusters_metadata
from tabpo.metrics.scores import score
from tabpo.records import ClusterCounts, Document, Prediction, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read both annotations; write predictions and scores of the test prompts that both annotators have."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: source, private, all_splits")
    parser.add_argument("--second", type=Path, required=True, help="the second annotator's file or folder")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True, help="documents of the first annotator")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)
    parser.add_argument("--output-scores", type=Path, required=True)
    parser.add_argument("--output-counts", type=Path, required=True, help="counts of each cluster of documents")
    args = parser.parse_args(argv)

    ontology, documents = read_ontology(args.ontology), read_records(args.documents, Document)
    second = read_second([args.second], documents, ontology, args.settings)
    answers = {prompt.prompt_id: prompt.answer for prompt in read_records(args.prompts, Prompt)}
    units, said = second_reading(list(answers), documents, second)
    gold = [answers[unit.prompt_id] for unit in units]
    scores, by_unit = score("test", units, said, gold, ontology, completions=None)
    counts = cluster_counts(documents, units, by_unit, said)
    write_records(args.output_predictions, Prediction, said)
    write_json(args.output_scores, scores)
    write_records(args.output_counts, ClusterCounts, counts, clusters_metadata(counts))
    logging.info("%d of %d prompts have a second annotation", len(units), len(answers))


if __name__ == "__main__":
    exit_on_error(main)
