"""Compare the loss curves of a study with those of another arithmetic: one JSON line for each study and run.

`off` is the mean over steps of the absolute difference between both losses, as a share of the largest loss of the first
study. A curve with `off` above `BAND` is outside; the exit code is 1 if any curve is outside.

    python -m benchmarks.curves results/gpu/fp32 results/gpu/zero2 results/gpu/zero3
"""

import argparse
import json
import sys
from pathlib import Path

from tabpo.errors import DataError
from tabpo.records import TrainingStep, read_records

BAND = 0.05


def main(argv: list[str] | None = None) -> None:
    """Print the difference of each run of each study from the first study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="results of the study in float32 without DeepSpeed")
    parser.add_argument("others", type=Path, nargs="+", help="results of the same study in other arithmetic")
    args = parser.parse_args(argv)
    first, outside = losses(args.first), 0
    for folder in args.others:
        other = losses(folder)
        for run, course in first.items():
            if len(other.get(run, ())) != len(course):
                raise DataError(f"{folder}: run {run} has {len(other.get(run, ()))} steps; expected: {len(course)}")
            off = round(mean_difference(course, other[run]), 4)
            outside += off > BAND
            print(json.dumps({"study": str(folder), "run": run, "off": off, "inside": off <= BAND}))
    sys.exit(int(outside > 0))


def losses(results: Path) -> dict[str, list[float]]:
    """Return the loss of each step of every run except SFT, by the run's folder.

    Raises:
        DataError: The study has no run of a loss.
    """
    files = sorted(results.glob("*/*/*/seed*/training.parquet"))
    by_run = {
        str(path.parent.relative_to(results)): [step.loss for step in read_records(path, TrainingStep)]
        for path in files
        if path.parts[-3] != "sft"
    }
    if not by_run:
        raise DataError(f"{results}: no training.parquet of a loss")
    return by_run


def mean_difference(course: list[float], other: list[float]) -> float:
    """Return the mean absolute difference of two curves, as a share of the first curve's largest absolute value."""
    differences = [abs(loss - peer) for loss, peer in zip(course, other, strict=True)]
    return sum(differences) / len(differences) / max(map(abs, course))


if __name__ == "__main__":
    main()
