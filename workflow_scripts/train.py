"""Train one policy with one loss, starting from its SFT reference; start it through workflow_scripts.launch."""

import argparse
import json
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.losses import build_loss
from tabpo.records import Pair, Prompt, read_records
from tabpo.training.models import load_tokenizer
from tabpo.training.pair_watch import build_pair_watch
from tabpo.training.preference import PreferenceTrainer
from tabpo.training.reference import read_reference, reference_key
from tabpo.training.run import Outputs, Run, execute, explicit_settings
from tabpo.training.tokenise import encode_pairs
from tabpo.training.watch import build_watch

INPUTS = ("sft", "prompts", "pairs", "reference", "held_out_prompts")
HELD_OUT = ("held_out_documents", "ontology", "held_out_pairs")  # of annotations the first two, of preferences the last
OUTPUTS = ("run", "model", "log_steps", "timing", "watch", "provenance")


def main(argv: list[str] | None = None) -> None:
    """Read SFT model, pairs and reference; write run.yaml, the model, its logs and where it came from."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: all settings of the run")
    for name in ("checkpoints", *INPUTS):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    for name in HELD_OUT:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, nargs="?")
    for name in OUTPUTS:
        parser.add_argument(f"--output-{name.replace('_', '-')}", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = explicit_settings(args.settings)
    method = settings["method"]
    loss = build_loss(method["loss"], **method["params"])
    method["params"] = asdict(loss)  # defaults become explicit
    quantize = (settings["training"]["lora"] or {}).get("quantize")
    key = reference_key(args.sft, args.pairs, args.prompts, settings["numerics"], quantize)
    tokenizer = load_tokenizer(args.sft)
    prompts, pairs = read_records(args.prompts, Prompt), read_records(args.pairs, Pair)
    examples = encode_pairs(tokenizer, prompts, pairs, read_reference(args.reference, key), settings["limits"])
    logging.info("%d pairs", len(examples))
    inputs = {name: path for name in (*INPUTS, *HELD_OUT) if (path := getattr(args, name)) is not None}
    build = build_watch if args.held_out_pairs is None else build_pair_watch
    deepspeed = Path(__file__).parents[1] / "config/deepspeed"
    run = Run(settings, args.settings["resources"], args.sft, inputs, args.checkpoints, deepspeed)
    outputs = Outputs(**{name: getattr(args, f"output_{name}") for name in OUTPUTS})
    build_trainer = partial(
        PreferenceTrainer,
        eos_id=tokenizer.eos_token_id,
        limits=settings["limits"],
        loss=loss,
        start=args.sft,
        watch=build(tokenizer, inputs, settings),
    )
    execute(run, outputs, tokenizer, examples, build_trainer)


if __name__ == "__main__":
    exit_on_error(main)
