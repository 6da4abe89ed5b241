"""Split a long study into runs, decide how many train at once, and copy the small files of finished runs."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tabpo.names import SFT

RECORDS = ("run.yaml", "selection.json", "watch.json", "provenance.json", "training.parquet")
"""The files of a run that are kept besides its scores; SFT has no watch.json."""


def runs_by_seed(config: Mapping[str, Any]) -> Iterator[list[str]]:
    """The run folders of each data set and seed, in the order in which they should be made, relative to the results.

    Args:
        config: The configuration of a study in which every model trains all methods.
    """
    for dataset in config["datasets"]:
        for seed in config["seeds"]:
            yield [
                f"{dataset}/{model}/{method}/seed{seed}"
                for model in config["models"]
                for method in (SFT, *config["methods"])
            ]


def shortened(config: Mapping[str, Any], results: str) -> dict[str, Any]:
    """The study with four SFT steps for three seeds and other results, to measure how long a step takes."""
    sft = config["training"]["sft"] | {"steps": 4, "warmup_steps": 1}
    return {**config, "results": results, "seeds": [1, 2, 3], "training": {**config["training"], "sft": sft}}


def jobs_at_once(alone: Sequence[float], together: Sequence[float]) -> int:
    """2 if two trainings at the same time finish more steps than one after the other, else 1.

    The caller leaves out the first step of each training, which includes start-up.

    Args:
        alone: The seconds of each step of one training that ran alone.
        together: The seconds of each step of two trainings that ran at the same time.
    """
    return 2 if fmean(together) < 2 * fmean(alone) else 1


def keep_runs(results: Path, output: Path) -> list[Path]:
    """Copy the small files of every scored run, including its scores and their counts.

    Returns:
        The folders of these runs, relative to `results`.
    """
    scored = sorted({path.parent.parent for path in results.glob("*/*/*/seed*/scores/*.json")})
    for run in scored:
        for file in (*(run / name for name in RECORDS if (run / name).exists()), *(run / "scores").iterdir()):
            copy = output / file.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return [run.relative_to(results) for run in scored]
