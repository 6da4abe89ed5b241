"""A long study run by run: its runs in order, how many train at once, and what is kept of each in the repository."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tabpo.names import SFT

RECORDS = ("run.yaml", "selection.json", "watch.json", "provenance.json", "training.parquet")
"""Files of a run that are kept, beside its scores; SFT has no watch.json."""


def runs_by_seed(config: Mapping[str, Any]) -> Iterator[list[str]]:
    """Folders under the results of the runs of one data set and seed, in the order in which they are to be made.

    Args:
        config: A study as configured, whose models train all methods.
    """
    for dataset in config["datasets"]:
        for seed in config["seeds"]:
            yield [
                f"{dataset}/{model}/{method}/seed{seed}"
                for model in config["models"]
                for method in (SFT, *config["methods"])
            ]


def shortened(config: Mapping[str, Any], results: str) -> dict[str, Any]:
    """The same study with four steps of SFT for three seeds, to measure how long a step takes."""
    sft = config["training"]["sft"] | {"steps": 4, "warmup_steps": 1}
    return {**config, "results": results, "seeds": [1, 2, 3], "training": {**config["training"], "sft": sft}}


def jobs_at_once(alone: Sequence[float], together: Sequence[float]) -> int:
    """2 where two trainings at once get through more steps than one after the other, else 1.

    Args:
        alone: Seconds of each step of one training.
        together: Seconds of each step of two that ran at the same time. The first step of each is left out by the
            caller: it holds start-up.
    """
    return 2 if fmean(together) < 2 * fmean(alone) else 1


def keep_runs(results: Path, output: Path) -> list[Path]:
    """Copy the small files of every run that has been scored, its scores and their counts among them.

    Returns:
        Folders of these runs below `results`.
    """
    scored = sorted({path.parent.parent for path in results.glob("*/*/*/seed*/scores/*.json")})
    for run in scored:
        for file in (*(run / name for name in RECORDS if (run / name).exists()), *(run / "scores").iterdir()):
            copy = output / file.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return [run.relative_to(results) for run in scored]
