"""Prove that confusions stem from where the pairing says, pairs from train alone, and that splits share nothing."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.isolation import prove_isolation
from tabpo.errors import exit_on_error
from tabpo.records import PROMPT_SPLITS, Pair, Prompt, read_records


def main(argv: list[str] | None = None) -> None:
    """Read ids, pairs and prompts, prove, write the counts."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the pairing")
    parser.add_argument("--ids", type=Path, nargs="*", help="files of prompts that gave confusions, one a line")
    parser.add_argument("--pairs", type=Path, required=True)
    for split in PROMPT_SPLITS:
        parser.add_argument(f"--{split.replace('_', '-')}", type=Path, required=True, help="prompts of the split")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    prompts = {split: read_records(getattr(args, split), Prompt) for split in PROMPT_SPLITS}
    ids = [prompt_id for path in args.ids for prompt_id in path.read_text().splitlines()]
    proof = prove_isolation(args.settings["heldout"], ids, read_records(args.pairs, Pair), prompts)
    logging.info("isolation holds: %s", proof)
    write_json(args.output, proof)


if __name__ == "__main__":
    exit_on_error(main)
