"""Audit pairs once the reference has scored them, and write all that is known of them as a page."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json, write_whole
from tabpo.data.pair_page import pair_page
from tabpo.data.reference_audit import gold_audit, reference_audit
from tabpo.errors import exit_on_error
from tabpo.names import GIVEN
from tabpo.records import Pair, Prompt, Reference, read_records


def main(argv: list[str] | None = None) -> None:
    """Read pairs, their reports and their log-probs; write the report of the log-probs and the page."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing")
    parser.add_argument("--title", required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True, help="log-probs of held-out gold answers")
    parser.add_argument("--held-out-prompts", type=Path, required=True, help="their prompts")
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--isolation", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-page", type=Path, required=True)
    args = parser.parse_args(argv)

    pairs, prompts = read_records(args.pairs, Pair), read_records(args.prompts, Prompt)
    report = reference_audit(pairs, read_records(args.reference, Reference), prompts)
    held_out = read_records(args.held_out_prompts, Prompt)
    labelled = args.settings["confusions"] != GIVEN
    report["held_out"] = gold_audit(held_out, read_records(args.gold, Reference), labelled=labelled)
    logging.info("pairs of %d prompts, and the gold of %d held-out ones", len(prompts), len(held_out))
    audit, proof = (json.loads(path.read_text()) for path in (args.audit, args.isolation))
    write_json(args.output, report)
    write_whole(args.output_page, pair_page(args.title, audit, proof, report, pairs))


if __name__ == "__main__":
    exit_on_error(main)
