"""What tables say of prompted models: the variant of their prompts, its choice, and data that pretraining may hold."""

from collections.abc import Iterable, Mapping
from typing import Any

from tabpo.errors import DataError
from tabpo.names import PROMPTED
from tabpo.tables.cells import Run, metric_value
from tabpo.tables.meanings import in_text, title

SPLIT = "dev_select"
"""The split on which variants are chosen; test is asked in the chosen one only."""


def choose_variant(metric: str, scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Choose the variant of the prompts with the highest metric, the first of several equal ones.

    Args:
        metric: Name of the metric.
        scores: The content of the file of scores on dev_select of each variant.

    Returns:
        The name of the chosen variant, the metric, and its value in percent for each variant.

    Raises:
        DataError: The data set does not define the metric.
    """
    values = {name: metric_value(of_variant, metric) for name, of_variant in scores.items()}
    if None in values.values():
        raise DataError(f"select_by is {metric}, which this data set does not define; accepted: one of its metrics")
    return {"variant": max(values, key=values.__getitem__), "metric": metric, "split": SPLIT, "values": values}


def prompted_notes(runs: Iterable[Run]) -> list[str]:
    """A note for each prompted run that was asked in one of several variants: which one, and how it was chosen."""
    return [
        f"{in_text(PROMPTED)} of {in_text(run.model)} on {in_text(run.dataset)}: the variant {run.asked['variant']}"
        f" ({_in_words(run.asked)}), chosen on {SPLIT} by {title(run.asked['metric'])}:"
        f" {', '.join(f'{name} {value:.1f}' for name, value in run.asked['values'].items())}."
        for run in runs
        if run.method == PROMPTED and "values" in run.asked
    ]


def _in_words(asked: Mapping[str, Any]) -> str:
    shown = f"{asked['demonstrations']} demonstrations" if asked["demonstrations"] else "no demonstrations"
    return shown + (", JSON schema" if asked["constraint"] == "json_schema" else "")


def public_notes(public: Mapping[str, int]) -> list[str]:
    """A note on the data sets that are published, by the year of their publication; none without such data sets."""
    if not public:
        return []
    years = ", ".join(f"{in_text(dataset)} since {year}" for dataset, year in public.items())
    return [
        f"On the web with their annotations: {years}. Count them as part of the pretraining data of later"
        " models, whose rows may then be recall, above all prompted ones."
    ]
