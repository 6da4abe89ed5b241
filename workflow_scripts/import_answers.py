"""Read the answers of another system to the test prompts, so that they are scored as the answers of all rows are."""

import argparse
import logging
from pathlib import Path

from tabpo.artefacts import sha256_file, write_json
from tabpo.code_version import describe_code
from tabpo.data.imported import read_answers
from tabpo.errors import exit_on_error
from tabpo.records import Completion, Prompt, read_records, write_records


def main(argv: list[str] | None = None) -> None:
    """Write the answers in the order of the prompts, and which file and code they come from."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True, help="the user's .jsonl, .csv or .parquet file")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--output-completions", type=Path, required=True)
    parser.add_argument("--output-provenance", type=Path, required=True)
    args = parser.parse_args(argv)

    prompt_ids = [prompt.prompt_id for prompt in read_records(args.prompts, Prompt)]
    completions = read_answers(args.answers, prompt_ids, args.prompts)
    write_records(args.output_completions, Completion, completions)
    inputs = {"answers": sha256_file(args.answers), "prompts": sha256_file(args.prompts)}
    write_json(args.output_provenance, describe_code() | {"inputs": inputs})
    logging.info("%d imported answers", len(completions))


if __name__ == "__main__":
    exit_on_error(main)
