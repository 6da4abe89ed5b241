"""Draw the confusions on test of the SFT models and of the models that one method trained, and their difference."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.confusions.counts import count_confusions
from tabpo.errors import exit_on_error
from tabpo.records import Document, Prediction, Prompt, read_records
from tabpo.reports.confusion_figure import write_changes


def main(argv: list[str] | None = None) -> None:
    """Count the confusions of all seeds before and after training; write one figure."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: method")
    parser.add_argument("--title", required=True)
    parser.add_argument("--before", type=Path, nargs="+", required=True, help="predictions of the SFT models")
    parser.add_argument("--after", type=Path, nargs="+", required=True, help="predictions of the method's models")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    ontology = read_ontology(args.ontology)
    prompt_ids = [prompt.prompt_id for prompt in read_records(args.prompts, Prompt)]
    units = units_of_prompts(read_records(args.documents, Document), prompt_ids)
    before, after = (
        [count_confusions(units, read_records(path, Prediction), ontology)[0] for path in paths]
        for paths in (args.before, args.after)
    )
    logging.info("%d seeds before, %d after", len(before), len(after))
    write_changes(args.output, before, after, args.settings["method"], args.title)


if __name__ == "__main__":
    exit_on_error(main)
