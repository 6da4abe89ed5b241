"""The choice among the trials of a method, and what other budgets would have found."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tabpo.tuning.trials import Point, copied_method, scaled_training


def choose(points: Sequence[Point], values: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Choose the trial with the best mean over seeds, or the first of several equally good ones.

    Args:
        points: The point of each trial.
        values: For each trial the value of the metric for each seed; more is better.

    Returns:
        `chosen`, the point; `number`, its place among the trials; `trials`, each point with its `values` and their
        `mean`; `expected_best` of 1, 2, ... trials.
    """
    means = [fmean(of_seeds) for of_seeds in values]
    number = means.index(max(means))
    trials = [
        {**point, "values": list(of_seeds), "mean": mean}
        for point, of_seeds, mean in zip(points, values, means, strict=True)
    ]
    return {"chosen": points[number], "number": number, "trials": trials, "expected_best": expected_best(means)}


def expected_best(values: Sequence[float]) -> list[float]:
    """Estimate the best value that n trials would find, for n from 1 to the number of trials.

    This is the expected validation performance of Dodge et al. 2019 (arXiv 1909.03004, section 3): the expected
    maximum of n draws, with replacement, from the values found. With V_(i) the i-th smallest of N values,

        E[max of n] = sum_i V_(i) * ((i / N)^n - ((i - 1) / N)^n)

    For n = 1 this is the mean.

    Args:
        values: One for each trial, at least one.
    """
    ordered, number = sorted(values), len(values)
    return [
        sum(
            value * ((place / number) ** draws - ((place - 1) / number) ** draws)
            for place, value in enumerate(ordered, start=1)
        )
        for draws in range(1, number + 1)
    ]


def with_choice(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run at the point that was chosen among trials, with the record of this choice.

    Settings without `choice`, the path of a file that `choose` made, are returned as they are. A method that takes the
    choice of another one takes its learning rate and length alone, and keeps its own hyperparameters; a copy with label
    noise takes all that its method takes.
    """
    if "choice" not in settings:
        return dict(settings)
    choice, method = json.loads(Path(settings["choice"]).read_text()), settings["method"]
    if choice["method"] == copied_method(method["name"]) and "params" in method:
        method = {**method, "params": {**method["params"], **choice["chosen"]["params"]}}
    training = scaled_training(settings["training"], choice["chosen"])
    chosen = {**settings, "method": method, "training": training, "tuning": choice}
    return {name: value for name, value in chosen.items() if name != "choice"}
