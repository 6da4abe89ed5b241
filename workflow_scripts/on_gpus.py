"""Start a program that reads a model, on GPUs that no other job uses; programs that train start through launch."""

import argparse
import logging
import os
import sys
from pathlib import Path

from tabpo.errors import exit_on_error
from tabpo.processes.gpus import VLLM_PYTHON, take_gpus


def main(argv: list[str] | None = None) -> None:
    """Replace this process by the program, which sees the GPUs of this job only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gpus", type=int, help="number of GPUs")
    parser.add_argument("program", choices=["annotate", "gold", "predict", "predict_by_vllm", "reference"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    gpus = ",".join(take_gpus(args.gpus, os.environ))
    of_vllm = Path(__file__).parents[1] / VLLM_PYTHON
    other = args.program == "predict_by_vllm" and of_vllm.exists()  # without it, this is the Python of envs/vllm.yaml
    command = [str(of_vllm) if other else sys.executable, "-m", f"workflow_scripts.{args.program}", *args.arguments]
    os.execve(command[0], command, os.environ | {"CUDA_VISIBLE_DEVICES": gpus})


if __name__ == "__main__":
    exit_on_error(main)
