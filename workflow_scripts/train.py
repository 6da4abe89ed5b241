"""Train one policy with one loss, starting from its SFT reference; start it through workflow_scripts.launch."""

import argparse
import json
import logging
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.data.ontology import read_ontology
from tabpo.data.units import units_of_prompts
from tabpo.errors import exit_on_error
from tabpo.losses import build_loss
from tabpo.records import Document, Pair, Prompt, read_records
from tabpo.training.models import load_tokenizer
from tabpo.training.preference import PreferenceTrainer
from tabpo.training.reference import read_reference, reference_key
from tabpo.training.run import Outputs, Run, execute, explicit_settings
from tabpo.training.tokenise import encode_examples, encode_pairs
from tabpo.training.watch import Watch, spread

INPUTS = ("sft", "prompts", "pairs", "reference", "held_out_prompts", "held_out_documents", "ontology")


def main(argv: list[str] | None = None) -> None:
    """Read SFT model, pairs and reference; write run.yaml, the model, its logs and where it came from."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: all settings of the run")
    for name in ("checkpoints", *INPUTS):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    for name in ("run", "model", "log-steps", "timing", "watch", "provenance"):
        parser.add_argument(f"--output-{name}", type=Path, required=True)
    args = parser.parse_args(argv)

    settings = explicit_settings(args.settings)
    method = settings["method"]
    loss = build_loss(method["loss"], **method["params"])
    method["params"] = asdict(loss)  # defaults become explicit
    key = reference_key(args.sft, args.pairs, args.prompts, settings["numerics"])
    tokenizer = load_tokenizer(args.sft)
    prompts, pairs = read_records(args.prompts, Prompt), read_records(args.pairs, Pair)
    examples = encode_pairs(tokenizer, prompts, pairs, read_reference(args.reference, key), settings["limits"])
    logging.info("%d pairs", len(examples))
    held_out = spread(read_records(args.held_out_prompts, Prompt), settings["training"]["watch_prompts"])
    watch = Watch(
        tokenizer,
        held_out,
        units_of_prompts(read_records(args.held_out_documents, Document), [prompt.prompt_id for prompt in held_out]),
        read_ontology(args.ontology),
        encode_examples(tokenizer, prompts, settings["limits"]),
        settings["numerics"],
        settings["limits"],
        settings["training"]["watch_steps"],
    )
    inputs = {name: getattr(args, name) for name in INPUTS}
    deepspeed = Path(__file__).parents[1] / "config/deepspeed"
    run = Run(settings, args.settings["resources"], args.sft, inputs, args.checkpoints, deepspeed)
    outputs = Outputs(
        args.output_run, args.output_model, args.output_log_steps, args.output_timing, args.output_provenance
    )
    build_trainer = partial(
        PreferenceTrainer,
        examples=examples,
        pad_id=tokenizer.pad_token_id,
        eos_id=tokenizer.eos_token_id,
        limits=settings["limits"],
        loss=loss,
        start=args.sft,
        watch=watch,
    )
    groups, lengths = [pair.prompt_id for pair in pairs], [example.length for example in examples]
    execute(run, outputs, tokenizer, groups, lengths, build_trainer)
    if int(os.environ.get("RANK", 0)) == 0:
        write_json(args.output_watch, watch.content)


if __name__ == "__main__":
    exit_on_error(main)
