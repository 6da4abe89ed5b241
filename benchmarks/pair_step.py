"""One optimiser step on pairs that differ in one to three tokens: ours, our plain rows, TRL, and four forward passes.

Every program is a process of its own with all its imports, and has the same weights, token ids, batches, optimiser and
clipping; they take a step in turn, so that other load falls on all alike. What is measured is all between one step and
the next: collating, forward, loss, what the program logs, backward, clipping, AdamW. On a CPU the time is that of the
process, with one thread; memory is its largest resident size less that after the imports. On a GPU both are the
device's.

    shared           PreferenceTrainer, as `train` runs it; its references come from the reference job
    plain            the same with a padded row for each completion
    trl_online       TRL's DPOTrainer with its reference model
    trl_precomputed  TRL's DPOTrainer with precomputed reference log-probs
    four_forward     the step of TAB-PO's released code, restated: policy and reference read chosen and rejected one
                     after the other, with logits of all positions and cross-entropy in float32

A reference pass is made once for all the methods that share it: figures with `_1` and `_10` have a whole and a tenth of
its time added. `ceiling` is what sharing could gain over plain rows if time went with tokens. It does not quite: casts
of the weights, clipping and AdamW take the same time in both, and the output head reads completions alone, of which
less is shared than of rows with prompts. A step has four prompts with all their negatives; with one prompt a step
(`--groups 1`) what does not go with tokens weighs more. Losses other than DPO are compared with their plain rows alone.

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
"""One of each kind of cost at least: log-probs alone, hidden states, a baseline, full distributions, attributions."""


def main() -> None:
    """Print one row a comparison as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=SHAPES, default="4m")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--negatives", nargs="+", type=int, default=[1, 4], help="of each prompt")
    parser.add_argument("--groups", type=int, default=4, help="prompts of a step, each with all its negatives")
    parser.add_argument("--attention", choices=("eager", "sdpa"), help="of all programs; the faster one unless given")
    parser.add_argument("--prompt", type=int, default=200, help="tokens")
    parser.add_argument("--completion", type=int, default=120, help="tokens")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each program after two to warm up")
    parser.add_argument(
        "--lora", action="store_true", help="adapters of rank 16 on all linear layers instead of all weights"
    )
    parser.add_argument(
        "--peak", type=float, help="TFLOP/s of the device in this precision: adds model FLOP utilisation"
    )
    parser.add_argument("--losses", nargs="+", default=LOSSES, help="with their defaults")
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
    """Start all programs, let them take their steps in turn, and set medians and memory side by side."""
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
            raise SystemExit("a program failed: see above")
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
    """Share of the device's peak: two operations a parameter and token forward (arXiv 2204.02311, appendix B).

    Those of attention are left out.
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
    settings["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "512"  # as `workflow_scripts.launch` has it, for all programs
    environment = {**os.environ, **settings}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def machine(device: str) -> str:
    """The processor's or the GPU's name and torch's version."""
    import torch

    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return f"{names[0] if names else platform.machine()}, 1 thread, torch {torch.__version__}"


if __name__ == "__main__":
    main()
