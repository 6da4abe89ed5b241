"""Start a program that reads a model, on GPUs that no other job uses; programs that train start through launch."""

import argparse
import logging
import os
import sys

from tabpo.errors import exit_on_error
from tabpo.processes.gpus import take_gpus


def main(argv: list[str] | None = None) -> None:
    """Replace this process by the program, which sees the GPUs of this job only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gpus", type=int, help="number of GPUs")
    parser.add_argument("program", choices=["gold", "predict", "reference"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    gpus = ",".join(take_gpus(args.gpus, os.environ))
    command = [sys.executable, "-m", f"workflow_scripts.{args.program}", *args.arguments]
    os.execve(command[0], command, os.environ | {"CUDA_VISIBLE_DEVICES": gpus})


if __name__ == "__main__":
    exit_on_error(main)
