"""The parts of `benchmarks.gpu` that no other benchmark measures; each prints its rows as JSON lines.

python -m benchmarks.gpu_parts NAME --device cuda|cpu --folder FOLDER    (by `gpu`)
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.made_study import make_inputs, train_arguments
from benchmarks.pair_step import LOSSES
from benchmarks.step_programs import WARM_UP, Case, Turns, of_ours
from tabpo.artefacts import sha256_file

Row = dict[str, Any]
PACKAGES = ("torch", "transformers", "peft", "trl", "deepspeed", "accelerate", "datasets", "triton")
STEPS = 20


def case(device: str, loss: str = "dpo", **changed: object) -> Case:
    """Return the case of all parts: one pair of 1,500 tokens a row in the shape of 1.5B; on a CPU a small one."""
    model, prompt, completion = ("1.5b", 1200, 300) if device == "cuda" else ("4m", 60, 40)
    usual = Case(device, model, "bf16", "sdpa", prompt, completion, 1, 1, 4, True, loss)
    return replace(usual, **changed)


class Alone(Turns):
    """A program that takes its steps without waiting for others, and keeps their seconds.

    Attributes:
        seconds: Seconds of each step.
    """

    def __init__(self, settings: Case):
        self.case, self.done, self.seconds = settings, -1, []

    def end_step(self) -> None:
        """Note the seconds of the step that has ended."""
        if self.done >= 0:
            self.seconds.append(self.now() - self.started)
        self.done += 1
        self.started = self.now()


def facts(device: str, _: Path) -> Iterator[Row]:
    """Versions, the device, and what it reaches in large matrix products and copies."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    row = {"python": platform.python_version(), "packages": versions, "device": platform.machine()}
    if device == "cuda":
        of = torch.cuda.get_device_properties(0)
        row |= {
            "device": of.name,
            "memory_gib": round(of.total_memory / 2**30, 1),
            "capability": f"{of.major}.{of.minor}",
        }
        row |= {"cuda": torch.version.cuda, "gpus": torch.cuda.device_count()}
    yield row
    size = 8192 if device == "cuda" else 512
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        yield {
            "product": precision,
            "size": size,
            "tflops": round(2 * size**3 / _seconds(device, partial(torch.matmul, left, right)) / 1e12, 2),
        }
    source = torch.empty(2**28 if device == "cuda" else 2**22, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    moved = 2 * source.numel() / _seconds(device, partial(target.copy_, source))
    yield {"copy_gb_per_s": round(moved / 1e9, 1)}


def _seconds(device: str, call: Callable[[], object], repeats: int = 10) -> float:
    """The smallest of several times of a call, seconds."""
    times = []
    for _ in range(repeats):
        started = _now(device)
        call()
        times.append(_now(device) - started)
    return min(times)


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def memory(device: str, _: Path) -> Iterator[Row]:
    """The peak of a step with adapters and gradient checkpointing, beside what `benchmarks.memory` estimates."""
    from benchmarks.memory import estimate

    settings = case(device, checkpointing=True)
    torch.cuda.reset_peak_memory_stats()
    trainer, _ = _trained(settings)
    measured = torch.cuda.max_memory_allocated() / 2**30
    last = trainer.train_dataset[0]
    shared = next(place for place, differs in enumerate(last.chosen_differs) if differs)
    states = 2 * settings.completion - shared
    lora = {"r": 16, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]}
    tokens = settings.prompt + states
    expected = estimate("1.5b", "Qwen/Qwen2.5-1.5B-Instruct", {"lora": lora}, 1, tokens, states)
    ratio = round(measured / expected["peak_gib"], 2)
    yield {"measured_gib": round(measured, 2), "reserved_gib": round(torch.cuda.max_memory_reserved() / 2**30, 2)}
    yield {"estimated": expected, "measured_to_estimated": ratio}


def attention(device: str, _: Path) -> Iterator[Row]:
    """A step with each way of computing attention over a packed row: a mask for SDPA, or FlexAttention's blocks."""
    for way in ("sdpa", "flex_attention"):
        trainer, seconds = _trained(case(device, attention=way, negatives=4))
        yield {"attention": way, "step_s": round(min(seconds[WARM_UP:]), 4), "loss": trainer.steps[-1].loss}


def losses(device: str, _: Path) -> Iterator[Row]:
    """A step of each kind of loss, at least one of each cost."""
    for loss in LOSSES:
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer, seconds = _trained(case(device, loss))
        peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
        row = {"loss": loss, "step_s": round(min(seconds[WARM_UP:]), 4), "peak_gib": peak and round(peak, 2)}
        yield row | {"last": trainer.steps[-1].loss}


def _trained(settings: Case) -> tuple[Any, list[float]]:
    """Train the project's program for the steps of a case; returns the trainer and the seconds of each step."""
    from transformers import TrainerCallback

    turns = Alone(settings)

    class EndOfStep(TrainerCallback):
        def on_train_begin(self, *_: object, **__: object) -> None:
            turns.end_step()

        on_step_end = on_train_begin

    with TemporaryDirectory() as folder:
        trainer, _ = of_ours("shared", settings, turns, folder)
        trainer.add_callback(EndOfStep())
        trainer.train()
    return trainer, turns.seconds


def generation(device: str, _: Path) -> Iterator[Row]:
    """Greedy answers of a fixed length; weights are random, so no answer ends early."""
    from transformers import GenerationConfig

    from benchmarks.shapes import policy, tokenizer, words
    from tabpo.inference.generate import generate_batch
    from tabpo.models.loading import autocast, narrow_frozen

    settings = case(device)
    numerics = {"precision": "bf16"}
    model = policy(settings).eval().requires_grad_(False)
    narrow_frozen(model, numerics)
    names = tokenizer(words(settings))
    length = 128 if device == "cuda" else 8
    asked = GenerationConfig(
        do_sample=False,
        max_new_tokens=length,
        min_new_tokens=length,
        pad_token_id=names.pad_token_id,
        eos_token_id=names.eos_token_id,
    )
    for batch in (1, 32) if device == "cuda" else (1, 4):
        prompts = [[2 + (number * 7 + place) % 1000 for place in range(settings.prompt)] for number in range(batch)]
        with autocast(numerics, device):
            generate_batch(
                model, prompts, GenerationConfig(**{**asked.to_diff_dict(), "max_new_tokens": 2, "min_new_tokens": 2})
            )
            started = _now(device)
            generate_batch(model, prompts, asked)
            seconds = _now(device) - started
        yield {
            "batch": batch,
            "prompt": settings.prompt,
            "new_tokens": length,
            "tokens_per_s": round(batch * length / seconds, 1),
        }


def deepspeed(device: str, folder: Path) -> Iterator[Row]:
    """The courses of one run in float32 and under ZeRO-2 and ZeRO-3 in bfloat16, from the same weights."""
    from benchmarks.curves import BAND, mean_difference

    gpus = _inputs(device, folder)
    courses = {}
    for name, precision, stage in (("fp32", "fp32", None), ("zero2", "bf16", "zero2"), ("zero3", "bf16", "zero3")):
        run = folder / name
        seconds = _launched(folder, run, precision=precision, gpus=gpus, deepspeed=stage)
        courses[name] = _losses(run)
        off = mean_difference(courses["fp32"], courses[name])
        yield {
            "run": name,
            "seconds": seconds,
            "first": courses[name][0],
            "last": courses[name][-1],
            "off": round(off, 4),
            "inside": off <= BAND,
        }


def resume(device: str, folder: Path) -> Iterator[Row]:
    """A run that is killed after its first checkpoint and started again, beside an unbroken one: equal bytes or not."""
    gpus = _inputs(device, folder)
    whole, broken = folder / "whole", folder / "broken"
    yield {"run": "whole", "seconds": _launched(folder, whole, precision="bf16", gpus=gpus)}
    process = _launch(folder, broken, precision="bf16", gpus=gpus)
    while not (marks := list(broken.glob("checkpoints/*/checkpoint-*/COMPLETE"))) and process.poll() is None:
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()  # without DeepSpeed the launching program is replaced by the training program
    process.wait()
    yield {"run": "killed", "after": [mark.parent.name for mark in marks], "written": (broken / "model").exists()}
    seconds = _launched(folder, broken, precision="bf16", gpus=gpus)
    hashes = [sha256_file(run / "model/model.safetensors") for run in (whole, broken)]
    equal = _losses(whole) == _losses(broken)
    yield {"run": "resumed", "seconds": seconds, "equal_weights": hashes[0] == hashes[1], "equal_losses": equal}


def _inputs(device: str, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sizes = {"hidden_size": 512, "layers": 8} if device == "cuda" else {"hidden_size": 32, "layers": 2}
    make_inputs(folder, documents=60, **sizes)
    return int(device == "cuda")


def _launch(inputs: Path, run: Path, **settings: object) -> subprocess.Popen:
    run.mkdir(exist_ok=True)
    arguments = train_arguments(inputs, run, steps=STEPS, **settings)
    command = [sys.executable, "-m", "workflow_scripts.launch", "train", *arguments]
    on_cpu = {} if settings["gpus"] else {"DS_ACCELERATOR": "cpu"}
    return subprocess.Popen(command, env=os.environ | on_cpu)


def _launched(inputs: Path, run: Path, **settings: object) -> float:
    started = time.perf_counter()
    process = _launch(inputs, run, **settings)
    if process.wait() != 0:
        raise SystemExit(f"training {run.name} ended with {process.returncode}; its error is above")
    return round(time.perf_counter() - started, 1)


def _losses(run: Path) -> list[float]:
    from tabpo.records import TrainingStep, read_records

    return [step.loss for step in read_records(run / "training.parquet", TrainingStep)]


PARTS = {part.__name__: part for part in (facts, memory, attention, losses, generation, deepspeed, resume)}


def main() -> None:
    """Print the rows of one part as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--folder", type=Path, required=True, help="folder for the files of the part")
    args = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # text that libraries and programs print must not mix with the rows
    for row in PARTS[args.part](args.device, args.folder):
        print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    main()
