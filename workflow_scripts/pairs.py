"""Draw rejected answers from confusions and expert patterns; write the pairs and how they were drawn."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import write_json
from tabpo.confusions.ambiguities import read_ambiguities
from tabpo.confusions.counts import states_links
from tabpo.errors import exit_on_error
from tabpo.pairs.audit import describe_drawn
from tabpo.pairs.draw import Pairing, check_answers, check_confusions, draw_pairs, pairing_contexts, token_encoder
from tabpo.pairs.proposals import proposal_tables
from tabpo.records import Confusion, Document, Pair, Prompt, read_metadata, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Read confusions, expert patterns and gold answers; write the pairs and how they were drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: the pairing, its name and seed, limits"
    )
    parser.add_argument("--confusions", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--ambiguities", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True, help="folder with the model's tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-drawn", type=Path, required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    settings = args.settings
    recipe = {
        key: settings[key] for key in ("name", "negatives", "edits", "flip_rate", "seed", "kinds", "max_token_edits")
    }
    pairing = Pairing(**recipe, max_completion_tokens=settings["limits"]["max_completion_tokens"])
    ontology = read_ontology(args.ontology)
    confusions, held_out = read_records(args.confusions, Confusion), read_metadata(args.confusions)
    check_confusions(settings, confusions, held_out)
    prompts = read_records(args.prompts, Prompt)
    units = units_of_prompts(read_records(args.documents, Document), [prompt.prompt_id for prompt in prompts])
    check_answers(units, prompts, ontology.answer)

    patterns = read_ambiguities(args.ambiguities, ontology)
    tables = proposal_tables(settings, confusions, patterns, ontology, links=states_links(units[0], ontology))
    contexts = pairing_contexts(units, ontology, tables, pairing.kinds)
    pairs, tally = draw_pairs(units, pairing, contexts, token_encoder(args.base))
    logging.info("pairs of %d prompts", len(units))

    report = {"confusions": held_out} | describe_drawn(tally, tables, units, prompts, pairs)
    write_json(args.output_drawn, {"pairing": settings} | report)
    write_records(args.output, Pair, pairs)


if __name__ == "__main__":
    exit_on_error(main)
