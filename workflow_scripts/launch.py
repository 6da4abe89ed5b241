"""Start a training program: as plain Python, or under torchrun for several processes or DeepSpeed."""

import argparse
import logging
import os
import sys

from tabpo.errors import exit_on_error
from tabpo.processes.launch import (
    LAUNCHER,
    left_locks_removed,
    plan_launch,
    read_settings,
    run_torchrun,
    starts_step,
    step_command,
    worker_command,
)


def main(argv: list[str] | None = None) -> None:
    """Replace this process by the program or by a step on all nodes, or run torchrun; its workers start here too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=["sft", "train"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program; --settings is required")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    if LAUNCHER in os.environ:
        command = worker_command(args.program, args.arguments)
        os.execv(command[0], command)
    settings = read_settings(args.arguments)
    if starts_step(settings, os.environ):
        command = step_command(args.program, args.arguments, settings)
        os.execvp(command[0], command)
    launch = plan_launch(args.program, args.arguments, settings, os.environ)
    gpus = ",".join(launch.gpus)
    logging.info("launch: %s, %d processes, GPUs [%s]", args.program, launch.processes, gpus)
    if launch.torchrun:
        with left_locks_removed(launch.environment):
            sys.exit(run_torchrun(launch))
    os.execve(launch.command[0], launch.command, launch.environment)


if __name__ == "__main__":
    exit_on_error(main)
