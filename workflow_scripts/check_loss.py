"""Check what a loss returns on synthetic pairs, without a study: shapes, gradients, masked positions, accumulation."""

import argparse
import json

import torch

from tabpo.errors import exit_on_error
from tabpo.losses import build_loss, check_contract, synthetic_pair

SEEDS = range(20)


def main(argv: list[str] | None = None) -> None:
    """Print one line if the loss passes; otherwise end with an error that states the actual and the expected result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file name of the loss under tabpo/losses, without .py")
    parser.add_argument("--params", type=json.loads, default={}, help="JSON: hyperparameters other than the defaults")
    args = parser.parse_args(argv)

    loss = build_loss(args.name, **args.params)
    for dtype in (torch.float32, torch.float64):
        for seed in SEEDS:
            check_contract(loss, *synthetic_pair(seed, dtype))
    print(f"{args.name}: keeps its contract on {len(SEEDS)} batches of synthetic pairs in float32 and float64")


if __name__ == "__main__":
    exit_on_error(main)
