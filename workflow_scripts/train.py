"""Train one policy with one loss, starting from its SFT reference; start it through workflow_scripts.launch."""

import argparse
import json
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tabpo.compute.match import with_matched_steps
from tabpo.errors import exit_on_error
from tabpo.losses import build_loss
from tabpo.models.adapters import MERGE_ROWS
from tabpo.models.tokenizer import encode_prompt, load_tokenizer
from tabpo.processes.launch import leave
from tabpo.records import Prompt, read_records
from tabpo.scoring.reference import read_examples
from tabpo.study.methods import ExampleWeights
from tabpo.training.example_weights import weighted_by_labels
from tabpo.training.loggers import LOGGERS
from tabpo.training.pair_watch import build_pair_watch
from tabpo.training.preference import PreferenceTrainer
from tabpo.training.run import Outputs, Run, execute, explicit_settings
from tabpo.training.watch import build_watch
from tabpo.tuning.choice import with_choice

INPUTS = ("sft", "prompts", "pairs", "reference", "held_out_prompts")
HELD_OUT = ("held_out_documents", "ontology", "held_out_pairs")  # two for annotations, one for preferences
OUTPUTS = ("run", "model", "log_steps", "timing", "selection", "watch", "provenance")


def main(argv: list[str] | None = None) -> None:
    """Read SFT model, pairs and reference; write run.yaml, the model, its logs and its provenance."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: all settings of the run")
    parser.add_argument("--logging", choices=LOGGERS, default="none")
    for name in ("checkpoints", "events", *INPUTS):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    for name in HELD_OUT:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, nargs="?")
    parser.add_argument(
        "--token-scores",
        type=Path,
        nargs="*",
        default=[],
        help="log-probs of other runs' models, by name in the settings",
    )
    for name in OUTPUTS:
        parser.add_argument(f"--output-{name.replace('_', '-')}", type=Path, required=True)
    args = parser.parse_args(argv)

    tokenizer = load_tokenizer(args.sft)
    settings = with_matched_steps(with_choice(args.settings), tokenizer, args.sft, args.prompts, args.pairs)
    settings = explicit_settings(settings)
    method = settings["method"]
    loss = build_loss(method["loss"], **method["params"])
    method["params"] = asdict(loss)  # defaults become explicit
    inputs = {name: path for name in (*INPUTS, *HELD_OUT) if (path := getattr(args, name)) is not None}
    token_scores = dict(zip(sorted(method.get("token_scores", {})), args.token_scores, strict=True))
    inputs |= token_scores
    examples = read_examples(tokenizer, inputs, settings)
    if "example_weights" in method:
        weights = ExampleWeights(**method["example_weights"])
        examples = weighted_by_labels(examples, read_records(args.prompts, Prompt), weights)
    build = build_watch if args.held_out_pairs is None else build_pair_watch
    deepspeed, logger = Path(__file__).parents[1] / "config/deepspeed", (args.logging, args.events)
    run = Run(settings, args.settings["resources"], args.sft, inputs, args.checkpoints, deepspeed, logger)
    outputs = Outputs(**{name: getattr(args, f"output_{name}") for name in OUTPUTS})
    named = {"limits": settings["limits"], "loss": loss, "start": args.sft, "watch": build(tokenizer, inputs, settings)}
    build_trainer = partial(PreferenceTrainer, eos_id=tokenizer.eos_token_id, **named)
    held_out = read_records(args.held_out_prompts, Prompt)[:MERGE_ROWS]
    limits = settings["limits"]
    rows = [encode_prompt(tokenizer, prompt, limits, number) for number, prompt in enumerate(held_out, start=1)]
    execute(run, outputs, tokenizer, examples, build_trainer, rows)


if __name__ == "__main__":
    exit_on_error(main)
    leave()
