"""Measure one optimiser step of SFT: ours on a packed row, ours on padded rows, and TRL's SFTTrainer with packing.

Every program is a separate process and has the same weights, examples, optimiser and clipping. The programs alternate
and are measured as in `benchmarks.pair_step`. TRL fills rows with as many tokens as eight mean examples have, best fit
first, without cutting an example, so its steps hold eight examples on average. The programs are compared by the
examples' tokens per second, without padding.

    packed   SftTrainer, as `sft` runs it
    padded   SftTrainer with a padded row for each example, as for architectures that cannot read packed rows
    trl      TRL's SFTTrainer, packing=True, on the token ids and masks of the same examples

    python -m benchmarks.sft_step > benchmarks/results/sft_step.jsonl
    python -m benchmarks.sft_step --device cuda --model 1.5b --prompts 600 1800 --completions 100 500 --precisions bf16
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.device import check_device
from benchmarks.pair_step import machine
from benchmarks.shapes import END, PAD, SHAPES, policy, tokenizer, words
from benchmarks.step_programs import WARM_UP, Turns

PROGRAMS = ("packed", "padded", "trl")
BATCH = 8


@dataclass(frozen=True)
class Case:
    """Settings of all programs of a comparison; `prompts` and `completions` are the least and most tokens."""

    device: str
    model: str
    precision: str
    attention: str
    prompts: tuple[int, int]
    completions: tuple[int, int]
    rounds: int

    @property
    def vocabulary(self) -> int:
        """Size of the model's vocabulary."""
        return SHAPES[self.model]["vocab_size"]

    @property
    def steps(self) -> int:
        """Steps of each program, including those for warming up."""
        return WARM_UP + self.rounds


def main() -> None:
    """Print one row for each comparison as JSON lines; with --program run one of the compared programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=SHAPES, default="4m")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--prompts", nargs=2, type=int, default=[100, 300], help="least and most tokens")
    parser.add_argument("--completions", nargs=2, type=int, default=[40, 200], help="least and most tokens")
    parser.add_argument(
        "--rounds", type=int, default=15, help="measured steps of each program, after two for warming up"
    )
    parser.add_argument("--program", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.program is not None:
        run(args.program.pop("name"), Case(**args.program))
        return
    check_device(args.device)
    for precision in args.precisions:
        attention = "eager" if (args.device, precision) == ("cpu", "bf16") else "sdpa"
        case = Case(args.device, args.model, precision, attention, args.prompts, args.completions, args.rounds)
        print(json.dumps(compare(case)), flush=True)


def compare(case: Case) -> dict:
    """Start all programs, let them take their steps alternately, and return speed and memory of all."""
    by_trl = replace(case, attention="sdpa")  # TRL's rows have eight examples: SDPA is faster for them, in bfloat16 too
    workers = {name: _start(name, by_trl if name == "trl" else case) for name in PROGRAMS}
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(case.steps):
        for name, worker in workers.items():
            worker.stdin.write("step\n")
            worker.stdin.flush()
            seconds[name].append(json.loads(worker.stdout.readline()))
    ends = {name: json.loads(worker.stdout.readline()) for name, worker in workers.items()}
    if any(worker.wait() for worker in workers.values()):
        raise SystemExit("a program failed; its error is above")
    speed = {
        name: median([tokens / time for tokens, time in zip(end["tokens"], seconds[name], strict=True)][WARM_UP:])
        for name, end in ends.items()
    }
    memory = {name: end["peak_mib"] for name, end in ends.items()}
    return {
        **vars(case),
        "machine": machine(case.device),
        "tokens_per_s": {name: round(value) for name, value in speed.items()},
        "peak_mib": memory,
        "times_padded": round(speed["packed"] / speed["padded"], 2),
        "times_trl": round(speed["packed"] / speed["trl"], 2),
        "memory_to_trl": round(memory["packed"] / memory["trl"], 2),
    }


def _start(name: str, case: Case) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.sft_step", "--program", json.dumps({"name": name, **vars(case)})]
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    settings["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = (
        "512"  # the value that `workflow_scripts.launch` sets, here for all programs
    )
    environment = {**os.environ, **settings}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def examples(case: Case) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return prompt and completion ids with ends of turn: twice as many as our steps need, since TRL may need more."""
    draw = random.Random(0)

    def ids(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(2, case.vocabulary) for _ in range(draw.randint(least, most)))

    return [
        (ids(*case.prompts), (*ids(case.completions[0] - 1, case.completions[1] - 1), END))
        for _ in range(2 * BATCH * case.steps)
    ]


def run(name: str, case: Case) -> None:
    """Run one of the programs."""
    import datasets  # noqa: F401
    import torch
    import trl  # noqa: F401  (all programs make equal imports, for equal memory after them)
    from transformers import TrainerCallback

    from tabpo.training import sft  # noqa: F401

    torch.set_num_threads(1)
    turns = Turns(case)

    class EndOfStep(TrainerCallback):
        def on_train_begin(self, *_: object, **__: object) -> None:
            turns.end_step()

        on_step_end = on_train_begin

    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = folder
        trainer, tokens = of_trl(case, folder) if name == "trl" else of_ours(name, case, folder)
        trainer.add_callback(EndOfStep())
        trainer.train()
    turns.end(tokens=tokens)


def of_ours(name: str, case: Case, folder: str) -> tuple[object, list[int]]:
    """Return our trainer, and the number of tokens of each step."""
    import torch

    from tabpo.scoring.tokenise import Example
    from tabpo.study.training import training_settings
    from tabpo.training import sft
    from tabpo.training.arguments import training_arguments
    from tabpo.training.batches import plan_batches

    encoded = [
        Example(f"p{number}", prompt, completion, (0,) * len(completion))
        for number, (prompt, completion) in enumerate(examples(case))
    ]
    settings = training_settings(steps=case.steps, batch_size=BATCH, micro_batch_size=BATCH)
    names, lengths = [example.prompt_id for example in encoded], [example.length for example in encoded]
    plan = plan_batches(names, lengths, settings, seed=0, processes=1)
    device = torch.device(case.device)
    trainer = sft.SftTrainer(
        policy(case),
        training_arguments(settings, plan, seed=0, folder=Path(folder), device=device, deepspeed=None),
        settings=settings,
        numerics={"precision": case.precision, "attention": case.attention, "threads": 1},
        plan=plan,
        examples=encoded,
        pad_id=PAD,
    )
    if name == "padded":
        sft.shares_prefixes = lambda model: False
    return trainer, [sum(lengths[index] for index in plan.of_step(step)) for step in range(case.steps)]


def of_trl(case: Case, folder: str) -> tuple[object, list[int]]:
    """Return TRL's trainer, and a list of the tokens of each step, which training fills."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {"input_ids": [*prompt, *completion], "completion_mask": [0] * len(prompt) + [1] * len(completion)}
        for prompt, completion in examples(case)
    ]
    mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
    arguments = SFTConfig(
        output_dir=folder,
        per_device_train_batch_size=1,
        max_steps=case.steps,
        max_length=round(BATCH * mean),
        packing=True,
        completion_only_loss=True,
        bf16=case.precision == "bf16",
        use_cpu=case.device == "cpu",
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    tokens: list[int] = []

    class Trainer(SFTTrainer):
        def training_step(self, model: object, inputs: dict, *others: object) -> object:
            tokens.append(inputs["input_ids"].numel())
            return super().training_step(model, inputs, *others)

    names, dataset = tokenizer(words(case)), Dataset.from_list(rows)
    return Trainer(model=policy(case), args=arguments, train_dataset=dataset, processing_class=names), tokens


if __name__ == "__main__":
    main()
