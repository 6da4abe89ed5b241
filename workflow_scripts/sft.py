"""Train a model on the gold answers of the training prompts; start it through workflow_scripts.launch."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.records import Prompt, read_records
from tabpo.training.models import load_tokenizer
from tabpo.training.run import Outputs, Run, execute, explicit_settings
from tabpo.training.sft import SftTrainer
from tabpo.training.tokenise import encode_examples


def main(argv: list[str] | None = None) -> None:
    """Read base model and prompts; write run.yaml, the model, its logs and where it came from."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: all settings of the run")
    parser.add_argument("--base", type=Path, required=True, help="folder of the model to start from")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the training split")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for the checkpoints of this run")
    parser.add_argument("--output-run", type=Path, required=True)
    parser.add_argument("--output-model", type=Path, required=True)
    parser.add_argument("--output-log-steps", type=Path, required=True)
    parser.add_argument("--output-timing", type=Path, required=True)
    parser.add_argument("--output-provenance", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = explicit_settings(args.settings)
    tokenizer = load_tokenizer(args.base)
    examples = encode_examples(tokenizer, read_records(args.prompts, Prompt), settings["limits"])
    logging.info("%d examples", len(examples))
    run = Run(
        settings=settings,
        resources=args.settings["resources"],
        start=args.base,
        inputs={"base": args.base, "prompts": args.prompts},
        checkpoints=args.checkpoints,
        deepspeed=Path(__file__).parents[1] / "config/deepspeed",
    )
    outputs = Outputs(
        args.output_run, args.output_model, args.output_log_steps, args.output_timing, args.output_provenance
    )
    execute(run, outputs, tokenizer, examples, SftTrainer)


if __name__ == "__main__":
    exit_on_error(main)
