"""Ask the model behind an endpoint for an answer to every prompt, in one variant; cached answers are not requested."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.answers.schema import strict_schema
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
    parser.add_argument(
        "--settings", type=json.loads, required=True, help="JSON: what tabpo.study.jobs.ask_settings returns"
    )
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="prompts in each variant, in this order")
    parser.add_argument("--ontology", type=Path, required=True, help="ontology of the answers, for json_schema")
    parser.add_argument("--selection", type=Path, nargs="?", help="the chosen variant, if there are several")
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder of received answers; it is kept when the program fails"
    )
    parser.add_argument("--output-completions", type=Path, required=True)
    parser.add_argument("--output-provenance", type=Path, required=True)
    args = parser.parse_args(argv)

    settings, variants = args.settings, args.settings["variants"]
    selection = json.loads(args.selection.read_text()) if args.selection else {"variant": next(iter(variants))}
    variant, prompts = variants[selection["variant"]], args.prompts[list(variants).index(selection["variant"])]
    schema = None
    if variant["constraint"] == "json_schema":
        schema = strict_schema(read_ontology(args.ontology), clusters=settings["unit"] == "document")
    completions, served = ask(
        Endpoint(**settings["endpoint"]),
        read_records(prompts, Prompt),
        max_tokens=settings["max_completion_tokens"],
        cache=args.cache,
        schema=schema,
    )
    logging.info("%d answers", len(completions))
    write_records(args.output_completions, Completion, completions)
    provenance = {"inputs": {"prompts": sha256_file(prompts)}, "served_model": served, "asked": selection | variant}
    write_json(args.output_provenance, describe_code() | provenance)


if __name__ == "__main__":
    exit_on_error(main)
