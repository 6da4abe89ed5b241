"""Ask the model behind an endpoint for an answer to every prompt; answers in the cache are not requested again."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import sha256_file, write_json
from tabpo.code_version import describe_code
from tabpo.errors import exit_on_error
from tabpo.inference.endpoint import ask
from tabpo.records import Completion, Prompt, read_records, write_records
from tabpo.study.endpoint import Endpoint


def main(argv: list[str] | None = None) -> None:
    """Write the completions in the order of the prompts, and which model and code produced them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs a line for each request
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: endpoint, max_completion_tokens")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder of received answers; it is kept when the program fails"
    )
    parser.add_argument("--output-completions", type=Path, required=True)
    parser.add_argument("--output-provenance", type=Path, required=True)
    args = parser.parse_args(argv)

    completions, served = ask(
        Endpoint(**args.settings["endpoint"]),
        read_records(args.prompts, Prompt),
        max_tokens=args.settings["max_completion_tokens"],
        cache=args.cache,
    )
    logging.info("%d answers", len(completions))
    write_records(args.output_completions, Completion, completions)
    provenance = {"inputs": {"prompts": sha256_file(args.prompts)}, "served_model": served}
    write_json(args.output_provenance, describe_code() | provenance)


if __name__ == "__main__":
    exit_on_error(main)
