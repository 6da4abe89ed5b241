"""How scores depend on the value of one setting: the column of values of a table, and the points of its figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabpo.tables.estimates import RunEstimates
from tabpo.tables.significance import effect, stack


def value_column(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The column of values of a table of sensitivity, by its head; another table has none."""
    if settings["layout"] != "sensitivity":
        return {}
    texts = {row: str(value) for row, value in settings["values"].items()}
    texts[settings["against"]] += " (default)"
    return {settings["setting"]: texts}


@dataclass(frozen=True)
class Point:
    """The mean over seeds of one row in one metric, with its 95 % interval over new seeds and new test documents."""

    mean: float
    low: float
    high: float


def sensitivity_points(
    runs: Mapping[str, Sequence[RunEstimates]], metrics: Sequence[str]
) -> dict[str, dict[str, Point]]:
    """The point of each row, by metric; a metric without gold items is left out.

    Args:
        runs: For each row the runs of its seeds, on one data set with one model. With one seed the interval is over new
            documents only.
        metrics: Names of metrics that the runs have.
    """
    points: dict[str, dict[str, Point]] = {}
    for metric in metrics:
        if all(run.gold[metric] for seeds in runs.values() for run in seeds):
            effects = {row: effect(stack([run.metrics[metric] for run in seeds])) for row, seeds in runs.items()}
            points[metric] = {row: Point(each.estimate, *each.interval) for row, each in effects.items()}
    return points
