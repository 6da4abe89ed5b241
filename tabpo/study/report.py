"""The content of a study's report: data sets, models, methods, tables and runs, and its pages and figures."""

from pathlib import PurePath
from typing import Any

from tabpo.study.jobs import confusions_folder, metric_settings, run_figures, score_figures, trained_runs
from tabpo.study.pairings import DISAGREEMENT
from tabpo.study.study import Settings, Study, stored_weights

FIGURES = {
    "training": "Training, step by step",
    "changes": "Confusions on test before and after a method",
    "erosion": "Erosion of held-out gold tokens",
    "gradients": "Tokens that each loss looks at",
    "sensitivity": "Sensitivity",
}
"""Titles of the figures about the logs of runs, by the figure's folder."""


def report_settings(study: Study) -> Settings:
    """Settings of the rule `report`. They contain none of the folders and addresses that the study names."""
    return {
        "study": PurePath(study.results).name,
        "presets": study.presets,
        "seeds": list(study.seeds),
        "datasets": [
            {"name": name} | {key: entry.get(key) for key in ("source", "unit", "private")}
            for name, entry in study.datasets.items()
        ],
        "models": [{"name": name, "origin": _origin(entry)} for name, entry in study.models.items()],
        "tables": [*study.tables, *study.analyses],
        "score_figures": score_figures(study),
        "splits": {name: entry["split"] for name, entry in study.tables.items()},
        "metrics": study.metrics(),
        "costs": bool(trained_runs(study)),
        "tuning": study.tuning is not None,
        "runs": report_runs(study),
        "exhibits": report_exhibits(study),
    }


def report_runs(study: Study) -> list[Settings]:
    """Return the runs of all tables that the study trains, SFT included, each once and in the order of the tables."""
    runs = [run for metric in study.metrics() for run in metric_settings(study, metric)["runs"]]
    return list(
        {
            (run["dataset"], run["model"], run["method"]): run
            for run in runs
            if (run["model"], run["method"]) in study.training
        }.values()
    )


def report_exhibits(study: Study) -> list[Settings]:
    """Return the pages and figures of the report, each with its dataset, its model or None, its title and its files.

    Paths are relative to the study's results. Files that exist once per seed form one exhibit, in the order of seeds.
    """
    exhibits = [_exhibit(name, None, "Data card", [f"{name}/card.md"]) for name in study.datasets]
    exhibits += [
        _exhibit(name, None, "Test sentences completed verbatim", [f"{name}/memorisation/counts.md"])
        for name in study.memorised()
    ]
    for run in trained_runs(study):
        dataset, model, pairing = run["dataset"], run["model"], study.methods[run["method"]]["pairing"]
        pages = [f"{dataset}/{model}/pairs/{pairing}/seed{seed}.md" for seed in run["seeds"]]
        exhibits.append(_exhibit(dataset, model, f"Pairs: {pairing}", pages))
        heldout = study.pairings[pairing]["heldout"]
        if heldout == DISAGREEMENT:
            figure = f"figures/confusions/{dataset}/disagreement.svg"
            exhibits.append(_exhibit(dataset, None, "Confusions: two annotators", [figure]))
        elif heldout is not None:
            folder = f"{dataset}/{model}" + confusions_folder(heldout).removeprefix("confusions")
            figures = [f"figures/confusions/{folder}/seed{seed}.svg" for seed in run["seeds"]]
            exhibits.append(_exhibit(dataset, model, f"Confusions of SFT: {heldout}", figures))
    for figure in run_figures(study):
        _, kind, dataset, model, *table = figure.removesuffix(".svg").split("/")
        exhibits.append(_exhibit(dataset, model, ": ".join([FIGURES[kind], *table]), [figure]))
    return list({exhibit["files"][0]: exhibit for exhibit in exhibits}.values())


def _exhibit(dataset: str, model: str | None, title: str, files: list[str]) -> Settings:
    return {"dataset": dataset, "model": model, "title": title, "files": files}


def _origin(entry: dict[str, Any]) -> str:
    """Say where a model comes from, without a folder or an address of the user."""
    if "hub" in entry:
        return entry["hub"]
    if "endpoint" in entry:
        return f"{entry['endpoint']['model']}, behind an endpoint"
    if "gguf" in entry:
        return stored_weights(entry)
    return "from scratch" if "scratch" in entry else "a local folder"
