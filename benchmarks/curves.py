"""How far the courses of a study's losses are from those of another arithmetic: one JSON line a study and method.

`off` is the mean over steps of the difference between both losses, as a share of the largest loss of the first study.
Above `BAND` a course is outside, and so is the exit code 1.

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
    """Print how far each method of each study is off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="results of the study in float32 without DeepSpeed")
    parser.add_argument("others", type=Path, nargs="+", help="results of the same study otherwise")
    args = parser.parse_args(argv)
    first, outside = losses(args.first), 0
    for folder in args.others:
        found = losses(folder)
        for run, course in first.items():
            if len(found.get(run, ())) != len(course):
                raise DataError(f"{folder}: run {run} has {len(found.get(run, ()))} steps; expected: {len(course)}")
            off = round(mean_difference(course, found[run]), 4)
            outside += off > BAND
            print(json.dumps({"study": str(folder), "run": run, "off": off, "inside": off <= BAND}))
    sys.exit(int(outside > 0))


def losses(results: Path) -> dict[str, list[float]]:
    """The loss of each step of every run but SFT, by its folder; a study without runs has none.

    Raises:
        DataError: There is no run.
    """
    files = sorted(results.glob("*/*/*/seed*/training.parquet"))
    found = {
        str(path.parent.relative_to(results)): [step.loss for step in read_records(path, TrainingStep)]
        for path in files
        if path.parts[-3] != "sft"
    }
    if not found:
        raise DataError(f"{results}: no training.parquet of a loss")
    return found


def mean_difference(course: list[float], other: list[float]) -> float:
    """Of two courses of equally many steps, as a share of the largest absolute value of the first."""
    differences = [abs(one - two) for one, two in zip(course, other, strict=True)]
    return sum(differences) / len(differences) / max(map(abs, course))


if __name__ == "__main__":
    main()
