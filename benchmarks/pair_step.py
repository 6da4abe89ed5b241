"""Measure one optimiser step on pairs that differ in few tokens: ours, our plain rows, TRL, four forward passes.

Every program is a separate process with all imports, and has the same weights, token ids, batches, optimiser and
clipping. The programs alternate step by step, so that other load affects all of them equally. A measured step includes
collating, forward, loss, logging, backward, clipping and AdamW; the two answers of a pair differ in one to three
tokens. On a CPU the time is process time with one thread, and memory is the largest resident size less the size after
the imports. On a GPU the time is wall-clock time and memory is the device's.

    shared           PreferenceTrainer, as `train` runs it; its references come from the reference job
    plain            PreferenceTrainer with a padded row for each completion
    trl_online       TRL's DPOTrainer with its reference model
    trl_precomputed  TRL's DPOTrainer with precomputed reference log-probs
    four_forward     the step of TAB-PO's released code, restated: policy and reference read chosen and rejected one
                     after the other, with logits of all positions and cross-entropy in float32

One reference pass serves all methods that share it: figures with `_1` include its whole time, figures with `_10` a
tenth of it. `ceiling` is the gain over plain rows if time were proportional to tokens. It is not quite: casts of the
weights, clipping and AdamW take the same time in both, and the output head reads only completions, of which a smaller
part is shared than of rows with prompts. A step has four prompts with all their negatives; with one prompt in each step
(`--groups 1`) the costs that do not depend on tokens weigh more. Losses other than DPO are compared only with their
plain rows.

    python -m benchmarks.pair_step > benchmarks/results/pair_step.jsonl
    python -m benchmarks.pair_step --device cuda --model 1.5b --prompt 1200 --completion 300 --precisions bf16 --lora \\
        --peak 989
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks.device import check_device
from benchmarks.shapes import SHAPES
from benchmarks.step_programs import PROGRAMS, WARM_UP, Case

LOSSES = ("dpo", "tab_po", "simpo", "otpo", "tbpo_q", "tdpo2", "tbpo_a", "ti_dpo")
"""At least one loss of each cost: only log-probs, hidden states, a baseline, full distributions, attributions."""


def main() -> None:
    """Print one row for each comparison as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=SHAPES, default="4m")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--negatives", nargs="+", type=int, default=[1, 4], help="negatives of each prompt")
    parser.add_argument("--groups", type=int, default=4, help="prompts of a step, each with all its negatives")
    parser.add_argument(
        "--attention", choices=("eager", "sdpa"), help="attention of all programs; by default the faster one"
    )
    parser.add_argument("--prompt", type=int, default=200, help="tokens")
    parser.add_argument("--completion", type=int, default=120, help="tokens")
    parser.add_argument(
        "--rounds", type=int, default=15, help="measured steps of each program, after two for warming up"
    )
    parser.add_argument(
        "--lora", action="store_true", help="adapters of rank 16 on all linear layers instead of all weights"
    )
    parser.add_argument(
        "--peak", type=float, help="TFLOP/s of the device in this precision; adds model FLOP utilisation to the rows"
    )
    parser.add_argument("--losses", nargs="+", default=LOSSES, help="losses, with their defaults")
    args = parser.parse_args()
    check_device(args.device)
    shape = (args.prompt, args.completion)
    for loss, precision, negatives in product(args.losses, args.precisions, args.negatives):
        faster = "eager" if (args.device, precision) == ("cpu", "bf16") else "sdpa"
        attention = args.attention or faster
        case = Case(
            args.device, args.model, precision, attention, *shape, negatives, args.groups, args.rounds, args.lora, loss
        )
        print(json.dumps(compare(case, args.peak)), flush=True)


def compare(case: Case, peak: float | None) -> dict:
    """Start all programs, let them take their steps alternately, and return medians and memory of all."""
    workers = {name: _start(name, case) for name in (PROGRAMS if case.loss == "dpo" else PROGRAMS[:2])}
    times: dict[str, list[float]] = {name: [] for name in workers}
    setup = {name: json.loads(worker.stdout.readline()) for name, worker in workers.items()}
    for _ in range(case.steps):
        for name, worker in workers.items():
            worker.stdin.write("step\n")
            worker.stdin.flush()
            times[name].append(json.loads(worker.stdout.readline()))
    ends = {name: json.loads(worker.stdout.readline()) for name, worker in workers.items()}
    for worker in workers.values():
        if worker.wait() != 0:
            raise SystemExit("a program failed; its error is above")
    seconds = {name: median(values[WARM_UP:]) / case.pairs for name, values in times.items()}
    speed = {name: ends[name]["tokens"] / case.pairs / case.steps / value for name, value in seconds.items()}
    reference = {name: extra["reference_s"] for name, extra in setup.items() if "reference_s" in extra}
    for name, cost in reference.items():
        seconds |= {f"{name}_{methods}": seconds[name] + cost / methods for methods in (1, 10)}
    faster = seconds["plain"] / seconds["shared"]
    ceiling = ends["plain"]["tokens"] / ends["shared"]["tokens"]
    memory = {name: end["peak_mib"] for name, end in ends.items()}
    return {
        **vars(case),
        "machine": machine(case.device),
        "pairs_per_s": {name: round(1 / value, 2) for name, value in seconds.items()},
        "peak_mib": memory,
        "tokens_per_s": {name: round(value) for name, value in speed.items()},
        **({} if peak is None else {"utilisation": _utilisation(speed, ends["plain"]["parameters"], case, peak)}),
        "tokens": {name: ends[name]["tokens"] for name in ("shared", "plain")},
        "ceiling": round(ceiling, 3),
        "shared_to_plain": round(faster, 3),
        "of_ceiling": round(faster / ceiling, 3),
        **(_beside_peers(seconds, memory) if case.loss == "dpo" else {}),
    }


def _utilisation(speed: dict[str, float], parameters: int, case: Case, peak: float) -> dict[str, float]:
    """Return shares of the device's peak, at two operations per parameter and token (arXiv 2204.02311, appendix B).

    Operations of attention are not counted.
    """
    of_token = 2 * parameters / case.forward_share
    return {name: round(value * of_token / (peak * 1e12), 4) for name, value in speed.items()}


def _beside_peers(seconds: dict[str, float], memory: dict[str, float]) -> dict[str, float]:
    return {
        "times_trl_online": round(seconds["trl_online"] / seconds["shared"], 2),
        "times_trl_online_1": round(seconds["trl_online"] / seconds["shared_1"], 2),
        "times_trl_precomputed_1": round(seconds["trl_precomputed_1"] / seconds["shared_1"], 2),
        "times_trl_precomputed_10": round(seconds["trl_precomputed_10"] / seconds["shared_10"], 2),
        "times_four_forward": round(seconds["four_forward"] / seconds["shared"], 2),
        "memory_to_trl_online": round(memory["shared"] / memory["trl_online"], 2),
    }


def _start(name: str, case: Case) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.step_programs", name, json.dumps(vars(case))]
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    settings["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = (
        "512"  # the value that `workflow_scripts.launch` sets, here for all programs
    )
    environment = {**os.environ, **settings}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def machine(device: str) -> str:
    """Return the processor's or the GPU's name, and torch's version."""
    import torch

    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return f"{names[0] if names else platform.machine()}, 1 thread, torch {torch.__version__}"


if __name__ == "__main__":
    main()
