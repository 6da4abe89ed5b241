"""Runs for tests of tables, made from counts: each document has 10 gold and 10 predicted items, some of them right."""

from collections.abc import Mapping, Sequence

import numpy as np

from tabpo.names import WITHOUT_MODEL
from tabpo.tables.cells import Run
from tabpo.tables.estimates import RunEstimates, mean_f1
from tabpo.tables.significance import Estimates, jackknife

ITEMS = 10
"""The number of predicted and of gold items in each document: one right item more adds 10 / documents points of F1."""


def made_run(
    method: str,
    seed: int | None,
    right: Mapping[str, Sequence[float]],
    *,
    dataset: str = "notes",
    model: str | None = "tiny",
    collapsed: bool = False,
    clusters: str = "same",
    without_gold: Sequence[str] = (),
) -> Run:
    """A run whose right items in each document are given by metric; metrics `without_gold` have no gold items."""
    estimates, gold = {}, {}
    for metric, counts in right.items():
        sums = np.full((1, len(counts), 1, 4), float(ITEMS))
        sums[0, :, 0, 0] = sums[0, :, 0, 2] = counts
        sums[..., 3] *= metric not in without_gold
        gold[metric] = sums[..., 3].sum()
        shares = jackknife(sums, mean_f1)
        estimates[metric] = Estimates(100 * shares.whole, 100 * shares.without)
    scores = {
        "prompts": 90,
        "valid": 1.0,
        "metrics": {metric: {"set_directed": {"f1": percent.whole[0] / 100}} for metric, percent in estimates.items()},
        "ceiling": {},
    }
    model = None if method in WITHOUT_MODEL else model
    return Run(dataset, model, method, seed, scores, RunEstimates(clusters, estimates, gold), collapsed)


def made_study(
    means: Mapping[str, float],
    *,
    metrics: Sequence[str] = ("ner_strict",),
    seeds: int = 3,
    documents: int = 40,
    models: Sequence[str] = ("tiny",),
    datasets: Sequence[str] = ("notes",),
    spread: float = 1.0,
    number: int = 0,
) -> list[Run]:
    """Runs of each method with about its mean of right items of 10, in all seeds; the dictionary has 1 everywhere."""
    generator = np.random.default_rng(number)
    runs = []
    for dataset in datasets:
        for model in models:
            for method, mean in means.items():
                for seed in range(1, seeds + 1):
                    shape = (len(metrics), documents)
                    right = np.clip(np.rint(mean + generator.normal(0, spread, shape)), 0, ITEMS)
                    by_metric = dict(zip(metrics, right, strict=True))
                    runs.append(made_run(method, seed, by_metric, dataset=dataset, model=model))
        ones = {metric: np.ones(documents) for metric in metrics}
        runs.append(made_run("dictionary", None, ones, dataset=dataset))
    return runs


def settings(rows: Sequence[str], **changed) -> dict:
    """The settings of a table, like those of `tabpo.study.jobs.table_settings`."""
    usual = {
        "name": "main",
        "layout": "main",
        "caption": "Notes.",
        "presets": "matched",
        "rows": list(rows),
        "metrics": ["ner_strict"],
        "against": "sft",
        "tested": ["ner_strict"],
        "tested_rows": list(rows),
        "generated": [],
        "imported": [],
        "by_sentence": [],
        "split": "test",
        "strict_code": False,
        "names": {},
        "private": [],
        "public": {},
        "runs": [],
    }
    return usual | changed
