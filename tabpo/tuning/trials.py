"""The trials of a method: points of a grid around its own settings, and the settings of a run at such a point."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from tabpo.errors import ConfigError

Point = dict[str, Any]
"""A point of a grid: `learning_rate` and `steps` as multiples of a run's own, and `params` of the loss by name.

Multiples have the same meaning for recipes and models of different sizes, so that a choice can be transferred.
"""


_TRIAL = "+trial"


def trial_name(method: str, number: int) -> str:
    """Return the method under which a trial is trained; no entry of a study can have this name."""
    return f"{method}{_TRIAL}{number}"


def is_trial(method: str) -> bool:
    """Whether a method is a trial of another one."""
    return _TRIAL in method


def copied_method(method: str) -> str:
    """Return the method of a trial or of a copy with label noise (`dpo+flip0.1`); others are their own."""
    return method.partition("+")[0]


def draw_trials(
    where: str,
    number: int,
    learning_rate: Sequence[float],
    steps: Sequence[float],
    params: Mapping[str, Sequence[Any]],
) -> list[Point]:
    """Draw distinct points of a grid at random; equal grids give equal points.

    Args:
        where: The method, for the message.
        number: Number of points.
        learning_rate: Multiples of the learning rate.
        steps: Multiples of the number of steps.
        params: Values of each hyperparameter of the loss.

    Raises:
        ConfigError: The grid has fewer points.
    """
    grid = [
        {"learning_rate": rate, "steps": length, "params": dict(zip(params, values, strict=True))}
        for rate, length, *values in product(learning_rate, steps, *params.values())
    ]
    if len(grid) < number:
        raise ConfigError(
            f"tuning.trials is {number}, but the grid of {where} has {len(grid)} points; accepted: at most as many as"
            " the smallest grid, or more values in learning_rate, steps or params"
        )
    return [grid[place] for place in np.random.default_rng(0).permutation(len(grid))[:number]]


def scaled_training(training: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """Return training settings with their learning rate and their length times the multiples of a point.

    The length is `steps`, or else `epochs`. A number of warm-up steps is multiplied like the length; numbers of steps
    are rounded, and a run has at least one.
    """
    scaled = {**training, "learning_rate": _product(training["learning_rate"], point["learning_rate"])}
    if training.get("steps") is None:
        scaled["epochs"] = _product(training["epochs"], point["steps"])
    else:
        scaled["steps"] = max(1, round(training["steps"] * point["steps"]))
    if training.get("warmup_steps") is not None:
        scaled["warmup_steps"] = round(training["warmup_steps"] * point["steps"])
    return scaled


def _product(value: float, multiple: float) -> float:
    """A product without the noise of binary fractions: 2e-4 times 0.3 is 6e-5."""
    return float(f"{value * multiple:.9g}")
