"""The value of one cell of a table from the scores of its runs, without the rest of the table."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabpo.errors import DataError
from tabpo.tables.cells import mean_by_seed, metric_value, over_seeds
from tabpo.tables.meanings import digits
from tabpo.tables.typeset import printed_number


def printed_cell(scores: Mapping[Path, Mapping[str, Any]], metric: str) -> str:
    """The mean over seeds as tables print it, of the mean over data sets of the mean over models.

    Args:
        scores: The scores of each run, or its quantities of mechanism, by its folder under a study's results.
        metric: The name of a metric, like `ner_strict` or `rel@pure`, or of a quantity.

    Raises:
        DataError: A data set does not define the metric, or runs of one seed lack those of another.
    """
    by_dataset: dict[str, dict[str, dict[str, float]]] = {}
    for folder, content in scores.items():
        dataset, model, seed = _run(folder)
        value = metric_value(content, metric)
        if value is None:
            raise DataError(f"{folder}: metric {metric} is not defined for this run")
        by_dataset.setdefault(dataset, {}).setdefault(model, {})[seed] = value
    of_models = [list(models.values()) for models in by_dataset.values()]
    seeds = sorted(of_models[0][0])
    if others := [sorted(values) for models in of_models for values in models if sorted(values) != seeds]:
        raise DataError(f"all models need files of the same seeds; these are {seeds} and {others[0]}")
    by_seed = mean_by_seed([[[values[seed] for seed in seeds] for values in models] for models in of_models])
    mean, sd = over_seeds(by_seed)
    return printed_number(mean, sd, places=digits(metric))


def _run(folder: Path) -> tuple[str, str, str]:
    """The names of the data set, the model and the seed of a run; the seed is empty if the row has none.

    For a row without a model these are the names of the study and the data set: the mean over data sets is the same.
    """
    run = folder.absolute()
    seed, row = (run.name, run.parent) if re.fullmatch(r"seed\d+", run.name) else ("", run)
    return row.parent.parent.name, row.parent.name, seed
