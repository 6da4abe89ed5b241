"""A job of seconds in place of a training run: it takes a step each half second, keeps each, and goes on from the last.

Usage: work.py STEPS CHECKPOINTS RUN RESULT. Each start and each step is a line of the file `history` in CHECKPOINTS'
parent, with the process's id. A warning ends it after its step, as a training run ends.

WORK_MB is memory that it takes.
"""

import os
import sys
import time
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.processes.lease import held
from tabpo.processes.warnings import Warned, end_warned, handling


def main() -> None:
    """Take the steps that are left, then write both outputs."""
    steps, (checkpoints, run, result) = int(sys.argv[1]), map(Path, sys.argv[2:])
    ballast = b"x" * (int(os.environ.get("WORK_MB", "0")) * 2**20)
    last, warned = checkpoints / "step", Warned()

    def note(event: str) -> None:
        with (checkpoints.parent / f"{checkpoints.name}.history").open("a") as history:
            print(os.getpid(), event, file=history)

    with held(checkpoints / "lock"), handling(warned.note):
        begun = int(last.read_text()) if last.exists() else 0
        note(f"starts after {begun}")
        for step in range(begun + 1, steps + 1):
            time.sleep(0.5)
            write_whole(last, str(step))
            note(f"step {step}")
            if warned.received:
                end_warned(warned)
        write_whole(run, f"{steps} steps\n")
        write_whole(result, "".join(f"{step}\n" for step in range(1, steps + 1)))
        note("ends")
    del ballast


if __name__ == "__main__":
    main()
