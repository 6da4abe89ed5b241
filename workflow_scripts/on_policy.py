"""Pair the gold answers with the SFT model's own wrong answers; write the pairs and how they were drawn."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.pairs.audit import describe_drawn
from tabpo.pairs.draw import Pairing, check_answers, token_encoder
from tabpo.pairs.on_policy import on_policy_pairs
from tabpo.records import Document, Pair, Prediction, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read the model's predictions and the gold answers; write the pairs and how they were drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing, its seed, limits")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True, help="folder with the model's tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-drawn", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    settings = args.settings
    limit = settings["limits"]["max_completion_tokens"]
    pairing = Pairing(settings["name"], 1, 1, settings["flip_rate"], settings["seed"], limit)
    ontology = read_ontology(args.ontology)
    prompts = read_records(args.prompts, Prompt)
    units = units_of_prompts(read_records(args.documents, Document), [prompt.prompt_id for prompt in prompts])
    check_answers(units, prompts, ontology.answer)

    predictions = read_records(args.predictions, Prediction)
    pairs, tally = on_policy_pairs(units, predictions, pairing, ontology, token_encoder(args.base))
    logging.info("pairs of %d prompts", len(units))

    report = describe_drawn(tally, [], units, prompts, pairs)
    write_json(args.output_drawn, {"pairing": settings} | report)
    write_records(args.output, Pair, pairs)


if __name__ == "__main__":
    exit_on_error(main)
