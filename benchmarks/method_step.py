"""Measure one optimiser step of every loss on the pairs of a study, relative to dpo.

Each loss has a separate PreferenceTrainer in this process, with the weights of the study's SFT model and the same
batches. The losses alternate step by step. A measured step goes from collating to the logged row; it does not include
the checks at step 0 and the sampling of anchors, which happens once before each pass. In bf16 on a CPU, the loss that
reads a new batch first also compiles kernels for its shapes. Therefore each round begins with another loss, and the
medians are of steps with compiled kernels. On a CPU the time is process time with one thread, so that other load on the
machine has less influence; on a GPU it is wall-clock time.

    make demo && python -m benchmarks.method_step > benchmarks/results/method_step.jsonl
"""

import argparse
import json
import os
import platform
import tempfile
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
import yaml
from transformers import TrainerCallback

from benchmarks.device import check_device
from tabpo.losses import FROM_FILES, build_loss, loss_names
from tabpo.models.loading import load_model
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Pair, Prompt, read_records
from tabpo.scoring.reference import score_references
from tabpo.scoring.tokenise import PairExample, encode_pairs
from tabpo.study.training import training_settings
from tabpo.training.arguments import prepare_process, training_arguments
from tabpo.training.batches import plan_batches
from tabpo.training.preference import PreferenceTrainer

BASELINE = "dpo"
WARM_UP = 2


def main() -> None:
    """Print one row for each precision as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/demo"), help="folder of a study that ran dpo")
    parser.add_argument("--dataset", default="demo_abstracts")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--gpus", type=int, choices=(0, 1), default=0)
    parser.add_argument("--rounds", type=int, default=15, help="measured steps of each loss, after two for warming up")
    args = parser.parse_args()
    check_device("cuda" if args.gpus else "cpu")
    for precision in args.precisions:
        print(json.dumps(compare(args, precision)), flush=True)


def compare(args: argparse.Namespace, precision: str) -> dict:
    """Return the median seconds of a step for each loss, and the ratios of the medians to the median of dpo."""
    folder = args.results / args.dataset
    run = yaml.safe_load((folder / args.model / BASELINE / "seed1/run.yaml").read_text())
    run["numerics"] |= {"precision": precision}
    run["training"] |= {"steps": WARM_UP + args.rounds, "epochs": None, "checkpoint_steps": 10**6}
    device = prepare_process(run["numerics"], args.gpus)
    sft = folder / args.model / "sft/seed1/model"
    tokenizer = load_tokenizer(sft)
    prompts = read_records(folder / "prompts/train.parquet", Prompt)
    pairs = read_records(folder / args.model / f"pairs/{run['method']['pairing']}/seed1.parquet", Pair)
    wanted = run["training"]["batch_size"] * run["training"]["steps"]
    examples = encode_pairs(tokenizer, prompts, pairs[:wanted], None, run["limits"])
    model = load_model(sft, run["numerics"]).to(device)
    references = score_references(
        model, examples, tokenizer.pad_token_id, run["numerics"], run["training"]["micro_batch_size"]
    )
    examples = [
        replace(
            example,
            chosen_reference=scored.chosen_logps,
            rejected_reference=scored.rejected_logps,
            chosen_values=dict.fromkeys(FROM_FILES, scored.chosen_logps),
            rejected_values=dict.fromkeys(FROM_FILES, scored.rejected_logps),
        )
        for example, scored in zip(examples, references, strict=True)
    ]
    turns = Turns(loss_names(), device)
    with tempfile.TemporaryDirectory() as checkpoints:
        for name in loss_names():
            turns.join(name, build_trainer(name, run, sft, examples, device, Path(checkpoints, name)))
        seconds = turns.take(WARM_UP + args.rounds)
    medians = {name: median(times[WARM_UP:]) for name, times in seconds.items()}
    return {
        "precision": precision,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else processor(),
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "pairs": run["training"]["batch_size"],
        "rounds": args.rounds,
        "step_ms": {name: round(1e3 * value, 1) for name, value in medians.items()},
        "ratio": {name: round(value / medians[BASELINE], 2) for name, value in medians.items()},
    }


def build_trainer(
    name: str, run: dict, sft: Path, examples: list[PairExample], device: torch.device, folder: Path
) -> PreferenceTrainer:
    """Build the trainer of the program `train` for a loss with its defaults, without held-out evaluation."""
    settings, tokenizer = training_settings(**run["training"]), load_tokenizer(sft)
    groups, lengths = [pair.pair_id for pair in examples], [pair.length for pair in examples]
    plan = plan_batches(groups, lengths, settings, run["seed"], 1)
    arguments = training_arguments(settings, plan, seed=run["seed"], folder=folder, device=device, deepspeed=None)
    return PreferenceTrainer(
        load_model(sft, run["numerics"]),
        arguments,
        settings=settings,
        numerics=run["numerics"],
        plan=plan,
        examples=examples,
        pad_id=tokenizer.pad_token_id,
        eos_id=tokenizer.eos_token_id,
        limits=run["limits"],
        loss=build_loss(name),
        start=sft,
    )


class Turns:
    """Run trainers in separate threads, let them take one step each alternately, and record the seconds."""

    def __init__(self, names: list[str], device: torch.device):
        self.device = device
        self.word = {name: threading.Semaphore(0) for name in names}
        self.resting = threading.Semaphore(0)
        self.seconds: dict[str, list[float]] = {name: [] for name in names}

    def join(self, name: str, trainer: PreferenceTrainer) -> None:
        """Start a trainer's thread and wait until it reaches its first step."""
        turns = self

        class Wait(TrainerCallback):
            def on_step_begin(self, *_: object, **__: object) -> None:
                turns.rest(name)

        def train() -> None:
            try:
                trainer.train()
            except BaseException:
                traceback.print_exc()
                os._exit(1)  # the other threads would wait for ever
            turns.end(name)
            turns.resting.release()

        trainer.add_callback(Wait())
        self.started = None
        threading.Thread(target=train, daemon=True).start()
        self.resting.acquire()

    def take(self, steps: int) -> dict[str, list[float]]:
        """Run this number of steps of each trainer; each round begins with another trainer. Return the seconds."""
        words = list(self.word.values())
        for step in range(steps):
            begin = step % len(words)
            for word in words[begin:] + words[:begin]:
                word.release()
                self.resting.acquire()
        return self.seconds

    def rest(self, name: str) -> None:
        """Record the step that ended, if there was one, and wait for the permission to take the next step."""
        if self.started is not None:
            self.end(name)
        self.resting.release()
        self.word[name].acquire()
        self.started = self.now()

    def end(self, name: str) -> None:
        """Record the seconds of the step."""
        self.seconds[name].append(self.now() - self.started)

    def now(self) -> float:
        """Return seconds: process time on a CPU, wall-clock time on a GPU."""
        if self.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, 1 thread"


if __name__ == "__main__":
    main()
