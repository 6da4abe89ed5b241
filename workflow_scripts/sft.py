"""Train a model on the gold answers of the training prompts; start it through workflow_scripts.launch."""

import argparse
import json
import logging
from functools import partial
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.models.adapters import MERGE_ROWS
from tabpo.models.tokenizer import load_tokenizer
from tabpo.processes.launch import leave
from tabpo.records import Prompt, read_records
from tabpo.scoring.tokenise import encode_examples
from tabpo.training.loggers import LOGGERS
from tabpo.training.run import Outputs, Run, execute, explicit_settings
from tabpo.training.sft import SftTrainer
from tabpo.tuning.choice import with_choice

OUTPUTS = ("run", "model", "log_steps", "timing", "selection", "provenance")


def main(argv: list[str] | None = None) -> None:
    """Read base model and prompts; write run.yaml, the model, its logs and its provenance."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: all settings of the run")
    parser.add_argument("--base", type=Path, required=True, help="folder of the model to start from")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts of the training split")
    parser.add_argument("--held-out-prompts", type=Path, required=True, help="prompts of dev_select")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for the checkpoints of this run")
    parser.add_argument("--logging", choices=LOGGERS, default="none")
    parser.add_argument("--events", type=Path, required=True, help="folder for what the logger writes")
    for name in OUTPUTS:
        parser.add_argument(f"--output-{name.replace('_', '-')}", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = explicit_settings(with_choice(args.settings))
    tokenizer = load_tokenizer(args.base)
    examples, held_out = (
        encode_examples(tokenizer, read_records(path, Prompt), settings["limits"])
        for path in (args.prompts, args.held_out_prompts)
    )
    logging.info("%d examples, %d held out", len(examples), len(held_out))
    run = Run(
        settings=settings,
        resources=args.settings["resources"],
        start=args.base,
        inputs={"base": args.base, "prompts": args.prompts, "held_out_prompts": args.held_out_prompts},
        checkpoints=args.checkpoints,
        deepspeed=Path(__file__).parents[1] / "config/deepspeed",
        logger=(args.logging, args.events),
    )
    outputs = Outputs(**{name: getattr(args, f"output_{name}") for name in OUTPUTS})
    rows = [example.prompt_ids + example.completion_ids for example in held_out[:MERGE_ROWS]]
    execute(run, outputs, tokenizer, examples, partial(SftTrainer, held_out=held_out), rows)


if __name__ == "__main__":
    exit_on_error(main)
    leave()
