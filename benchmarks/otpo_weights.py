"""Measure OTPO's token weights for a batch of pairs: ours for all pairs at once, POT in a loop over pairs.

The two completions of a pair differ little: three quarters of the tokens have equal states on both sides, one token
differs, and the states after it are slightly changed. Completions have different lengths. Both programs compute token
weights from padded float32 states. POT runs as in the authors' code, on torch tensors on the device of the states, and
on a CPU also on NumPy arrays, which is faster. POT's costs come from `torch.cdist`, which gives equal states a distance
above 0 in single precision. The error of the weights is measured against POT's weights of the same states in double
precision. POT computes each pair at its actual lengths, ours computes all pairs at the longest lengths. Programs
alternate in one process with one thread; on a CPU the time is process time, so that other load has less influence.

    python -m benchmarks.otpo_weights [--device cpu] [--rounds 11] > benchmarks/results/otpo_weights.jsonl
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

import ot
import torch
from torch import Tensor

from benchmarks.device import check_device
from tabpo.losses import Side, build_loss

SIZES = ((32, 120, 256), (8, 300, 1536))
"""Pairs, tokens, hidden size."""

Weights = tuple[Tensor, Tensor]


def main() -> None:
    """Print one row for each size, regulariser and peer as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--rounds", type=int, default=11, help="measured rounds of all programs, after one for warming up"
    )
    args = parser.parse_args()
    check_device(args.device)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # POT warns about its regulariser at each call
    for size in SIZES:
        sides = low_edit_pairs(*size, device=args.device)
        for reg in (1.0, 0.1):
            programs = {"ours": partial(of_ours, *sides, reg), "pot_torch": partial(of_pot, *sides, reg)}
            if args.device == "cpu":
                programs["pot_numpy"] = partial(of_pot, *sides, reg, numpy=True)
            exact = of_pot(*(replace(side, hidden_states=side.hidden_states.double()) for side in sides), reg)
            for row in compare(programs, exact, args.rounds, args.device):
                print(json.dumps({"device": args.device, "size": size, "ot_reg": reg, **row}), flush=True)


def compare(programs: dict[str, Callable[[], Weights]], exact: Weights, rounds: int, device: str) -> list[dict]:
    """Return medians of alternating runs, each peer's time relative to ours, and the errors of both weights."""
    off = {
        name: max((weights - right).abs().max().item() for weights, right in zip(program(), exact, strict=True))
        for name, program in programs.items()
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            times[name].append(timed(program, device))
    ours = median(times["ours"])
    return [
        {
            "peer": name,
            "peer_ms": round(1e3 * median(times[name]), 2),
            "ours_ms": round(1e3 * ours, 2),
            "ratio": round(median(times[name]) / ours, 2),
            "peer_off": off[name],
            "ours_off": off["ours"],
        }
        for name in programs
        if name != "ours"
    ]


def timed(program: Callable[[], Weights], device: str) -> float:
    """Return the seconds of one run: process time on a CPU; on a GPU, wall-clock time until the device is idle."""
    if device == "cpu":
        start = time.process_time()
        program()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    program()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def low_edit_pairs(pairs: int, tokens: int, hidden: int, device: str) -> tuple[Side, Side]:
    """Return both sides with hidden states; the first pair has the largest length."""
    generator = torch.Generator().manual_seed(1)
    chosen = torch.randn(pairs, tokens, hidden, generator=generator)
    rejected, edit = chosen.clone(), 3 * tokens // 4
    rejected[:, edit] = torch.randn(pairs, hidden, generator=generator)
    rejected[:, edit + 1 :] += 0.2 * torch.randn(pairs, tokens - edit - 1, hidden, generator=generator)
    lengths = torch.randint(edit + 1, tokens + 1, (2, pairs, 1), generator=generator)
    lengths[:, 0] = tokens
    masks = (torch.arange(tokens) < lengths).to(device)
    zeros = torch.zeros(pairs, tokens, device=device)
    return tuple(
        Side(zeros, zeros, mask, zeros.to(torch.int8), zeros > 0, hidden_states=states.to(device))
        for mask, states in zip(masks, (chosen, rejected), strict=True)
    )


def of_ours(chosen: Side, rejected: Side, reg: float) -> Weights:
    """Return the weights that the project's loss computes."""
    return build_loss("otpo", ot_reg=reg)._token_weights(chosen, rejected)


def of_pot(chosen: Side, rejected: Side, reg: float, numpy: bool = False) -> Weights:
    """Return POT's weights, computed pair by pair without padding, with distances by `torch.cdist`."""
    weights = [torch.zeros_like(side.hidden_states[:, :, 0]) for side in (chosen, rejected)]
    for row in range(len(chosen.policy_logps)):
        masks = [side.completion_mask[row] for side in (chosen, rejected)]
        states = [side.hidden_states[row, mask] for side, mask in zip((chosen, rejected), masks, strict=True)]
        cost = torch.cdist(*states) + 1e-6
        cost = cost / cost.max().clamp(min=1.0)
        ones = [torch.ones(size, device=cost.device, dtype=cost.dtype) for size in cost.shape]
        problem = [tensor.numpy() for tensor in (*ones, cost)] if numpy else [*ones, cost]
        plan = torch.as_tensor(
            ot.unbalanced.sinkhorn_unbalanced(*problem, reg, 0.2, method="sinkhorn_stabilized", reg_type="entropy")
        )
        scale = min(plan.shape) / plan.sum()
        for weight, mask, mass in zip(weights, masks, (plan.sum(1), plan.sum(0)), strict=True):
            weight[row, mask] = mass * scale
    return tuple(weights)


if __name__ == "__main__":
    main()
