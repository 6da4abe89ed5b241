"""Score the longest match of training mentions, its threshold chosen on dev_select."""

import argparse
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.dictionary import annotate, best_threshold, build_dictionary
from tabpo.data.ontology import read_ontology
from tabpo.data.units import units_of_prompts
from tabpo.errors import exit_on_error
from tabpo.metrics.scores import score, strict_f1
from tabpo.records import Document, Prediction, Prompt, read_records, write_records

PARTS = ("train", "select", "test")


def main(argv: list[str] | None = None) -> None:
    """Build the dictionary on train, choose its threshold on dev_select, write predictions and scores of test."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    for part in PARTS:
        parser.add_argument(f"--{part}-prompts", type=Path, required=True)
        parser.add_argument(f"--{part}-documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)
    parser.add_argument("--output-scores", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    prompts = {part: read_records(getattr(args, f"{part}_prompts"), Prompt) for part in PARTS}
    documents = {part: read_records(getattr(args, f"{part}_documents"), Document) for part in PARTS}
    units = {part: units_of_prompts(documents[part], [item.prompt_id for item in prompts[part]]) for part in PARTS}

    dictionary = build_dictionary(units["train"])
    threshold = best_threshold(dictionary, units["select"], lambda found: strict_f1(units["select"], found, ontology))
    predictions = [annotate(dictionary, unit, threshold) for unit in units["test"]]
    answers = [prompt.answer for prompt in prompts["test"]]
    scores = score("test", units["test"], predictions, answers, ontology, mean_tokens=None)

    write_records(args.output_predictions, Prediction, predictions)
    write_json(args.output_scores, scores)
    logging.info("%d entries, threshold %.2f: %s", len(dictionary.entries), threshold, args.output_scores)


if __name__ == "__main__":
    exit_on_error(main)
