"""Write the report of a study: one HTML file with its tables, the pages about its data and pairs, and its runs.

The file loads nothing: style, program, pages and figures are inside it, and its security policy forbids browsers to
load anything else. Everything else is a relative link.
"""

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tabpo.artefacts import sha256_text
from tabpo.names import run_folder
from tabpo.privacy import NOTICE
from tabpo.reports import (
    confusion_figure,
    erosion_figure,
    gradient_figure,
    score_figure,
    sensitivity_figure,
    training_figure,
)
from tabpo.reports.cell_details import Commands, Row, cell_details, claim_details
from tabpo.reports.compare import flat_settings
from tabpo.reports.markup import page_html, table_html
from tabpo.tables.cells import code_differences
from tabpo.tables.files import FILES

TEMPLATE = Path(__file__).with_name("report.html.jinja")
PROGRAM = Path(__file__).with_name("report.js")
LIBRARY = resources.files("itables") / "html"
"""DataTables with its licences, as the package itables distributes it."""

MEASURES = {"f1": "F1", "nll": "NLL, nats a token", "reward_accuracy": "pairs ranked right"}
"""The measures for choices on dev_select: the name in `selection.json`, and the name for readers."""

CAPTIONS = {
    "scores": score_figure.CAPTION,
    "confusions": confusion_figure.CAPTION,
    "changes": confusion_figure.CHANGE_CAPTION,
    "training": training_figure.CAPTION,
    "erosion": erosion_figure.CAPTION,
    "gradients": gradient_figure.CAPTION,
    "sensitivity": sensitivity_figure.CAPTION,
}
"""What explains a figure, by the figure's folder."""


@dataclass(frozen=True)
class ReportedRun:
    """One training run with its `selection.json` and its `provenance.json`."""

    dataset: str
    model: str
    method: str
    seed: int
    selection: Mapping[str, Any]
    provenance: Mapping[str, Any]


def table_files(settings: Mapping[str, Any]) -> list[str]:
    """The paths of the study's tables without endings: first those of its settings, then one for each metric."""
    per_metric = [f"tables/per_metric/{name}" for name in settings["metrics"]]
    return [f"tables/{name}" for name in settings["tables"]] + per_metric


def shown_files(settings: Mapping[str, Any]) -> list[str]:
    """The files under the results whose contents the report shows; of files for each seed, the first one."""
    exhibits = [exhibit["files"][0] for exhibit in settings["exhibits"]]
    tables = [f"{table}.{ending}" for table in table_files(settings) for ending in FILES]
    return [*tables, *settings["score_figures"].values(), *exhibits]


def render_report(
    settings: Mapping[str, Any],
    contents: Mapping[str, str],
    runs: Sequence[ReportedRun],
    trained: Sequence[Mapping[str, Any]],
    commands: Commands,
) -> str:
    """The report as HTML. Equal studies give equal text: it holds no time, host, absolute path or commit.

    Args:
        settings: The settings from `report_settings`, and as `looks` the counts from `count_looks`.
        contents: The content of each of `shown_files`, by its path.
        runs: All runs of the study, in order.
        trained: The `run.yaml` of the first seed of these runs, in the same order.
        commands: How the reader calls the workflow.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    tables = table_files(settings)
    code = {run_folder(run.dataset, run.model, run.method, run.seed): _fingerprint(run.provenance) for run in runs}
    splits = {f"tables/{name}": split for name, split in settings["splits"].items()}
    details = {
        _id(table): claim_details(table, cells, code, commands)
        if _are_claims(cells := _cells(table, contents))
        else cell_details(
            cells, _lines(contents[f"{table}.tests.csv"]), code, commands, split=splits.get(table, "test")
        )
        for table in tables
    }
    program = PROGRAM.read_text().replace(
        "LIBRARY", _data_url("text/javascript", (LIBRARY / "dt_bundle.js").read_bytes())
    )
    return environment.from_string(TEMPLATE.read_text()).render(
        **{key: settings[key] for key in ("study", "presets", "seeds", "datasets", "models", "looks")},
        methods=_methods(trained),
        trainings=_trainings(trained),
        tables=[_table(table, settings["score_figures"], contents) for table in tables],
        rehearsals=[name for name in settings["tables"] if "\n**REHEARSAL" in f"\n{contents[f'tables/{name}.md']}"],
        costs=[f"tables/cost.{ending}" for ending in ("csv", "md", "tex") if settings["costs"]],
        tuning=[f"tables/tuning.{ending}" for ending in ("csv", "md", "tex") if settings["tuning"]],
        sections=_sections(settings, contents),
        blocks=_blocks(runs),
        notice=NOTICE if any(entry["private"] for entry in settings["datasets"]) else "",
        differing=code_differences([run.provenance for run in runs], strict=False),
        details=details,
        program=Markup(program),
        library_style=Markup((LIBRARY / "dt_bundle.css").read_text()),
    )


def _fingerprint(provenance: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of a hash over the fingerprints of all modules that a run used."""
    return sha256_text(json.dumps(provenance["code"], sort_keys=True))[:12]


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _id(table: str) -> str:
    return table.replace("/", "-")


def _lines(content: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(content)))


def _cells(table: str, contents: Mapping[str, str]) -> list[Row]:
    """The lines of a table's CSV if they name their runs; none for another kind of table."""
    return [line for line in _lines(contents[f"{table}.csv"]) if "runs" in line]


def _are_claims(cells: Sequence[Row]) -> bool:
    return bool(cells) and "claim" in cells[0]


def _table(table: str, figures: Mapping[str, str], contents: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs of a table: it and its tests as HTML and as LaTeX, its figure or None, and its files."""
    figure = figures.get(table.removeprefix("tables/"))
    return {
        "figure": figure and _figure(figure, contents[figure], f"Scores of {PurePath(table).name}"),
        "id": _id(table),
        "name": PurePath(table).name,
        "per_metric": "/per_metric/" in table,
        "html": table_html(contents[f"{table}.md"], _cells(table, contents)),
        "latex": contents[f"{table}.tex"],
        "tests": table_html(contents[f"{table}.tests.md"]),
        "latex_of_tests": contents[f"{table}.tests.tex"],
        "files": [f"{table}.{ending}" for ending in FILES],
    }


def _methods(trained: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The losses with all their hyperparameters, defaults included."""
    methods = {run["method"]["name"]: run["method"] for run in trained}
    return [method for method in methods.values() if "loss" in method]


def _trainings(trained: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each model the settings of training: a row for each setting, a column for all methods with equal settings."""
    by_model: dict[str, dict[str, list[str]]] = {}
    for run in trained:
        settings = json.dumps(flat_settings(run["training"]))
        names = by_model.setdefault(run["model"], {}).setdefault(settings, [])
        names.extend([run["method"]["name"]] if run["method"]["name"] not in names else [])
    return [_training(model, groups) for model, groups in by_model.items()]


def _training(model: str, groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    columns = [json.loads(settings) for settings in groups]
    rows = [
        [name, *(column.get(name) for column in columns)]
        for name in dict.fromkeys(key for column in columns for key in column)
    ]
    return {
        "model": model,
        "heads": [", ".join(names) for names in groups.values()],
        "rows": [["–" if value is None else str(value) for value in row] for row in rows if set(row[1:]) != {None}],
    }


def _sections(settings: Mapping[str, Any], contents: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each data set its own exhibits, then those of each model."""
    shown = [_exhibit(exhibit, contents[exhibit["files"][0]]) for exhibit in settings["exhibits"]]
    return [
        {
            "dataset": dataset,
            "parts": [
                (model, exhibits)
                for model in (None, *(entry["name"] for entry in settings["models"]))
                if (exhibits := [entry for entry in shown if (entry["dataset"], entry["model"]) == (dataset, model)])
            ],
        }
        for dataset in (entry["name"] for entry in settings["datasets"])
    ]


def _exhibit(exhibit: Mapping[str, Any], content: str) -> dict[str, Any]:
    """A page as HTML, or a figure as an image, whose ids cannot clash with others and which can load nothing."""
    first = exhibit["files"][0]
    figure = first.endswith(".svg")
    description = " ".join(filter(None, [exhibit["title"], "of", exhibit["dataset"], exhibit["model"]]))
    html = _figure(first, content, description) if figure else page_html(content)
    return {**exhibit, "figure": figure, "html": html}


def _figure(path: str, content: str, description: str) -> Markup:
    """A figure as an image, with the caption of its kind."""
    image = Markup('<img alt="{}" src="{}">').format(description, _data_url("image/svg+xml", content.encode()))
    caption = Markup("<figcaption>{}</figcaption>").format(CAPTIONS[path.split("/")[1]])
    return Markup("<figure>\n{}\n{}\n</figure>").format(image, caption)


def _blocks(runs: Iterable[ReportedRun]) -> list[dict[str, Any]]:
    """The runs of each data set and model."""
    return [
        {
            "dataset": dataset,
            "model": model,
            "rows": (rows := [_run_row(run) for run in group]),
            "collapsed": sum(row["collapsed"].startswith("after") for row in rows),
        }
        for (dataset, model), group in groupby(runs, key=lambda run: (run.dataset, run.model))
    ]


def _run_row(run: ReportedRun) -> dict[str, Any]:
    selection, after = run.selection, run.provenance["collapsed_after"]
    last, best = selection["last"], selection["dev_best"]
    evaluated = selection["measure"] == "f1"  # collapse is looked for in answers; SFT and preferences evaluate none
    return {
        "method": run.method,
        "seed": run.seed,
        "settings": f"{run.dataset}/{run.model}/{run.method}/seed{run.seed}/run.yaml",
        "steps": last["step"],
        "best_step": best["step"],
        "kept": {"last": "last", "dev_best": "best"}[selection["keep"]],
        "measure": MEASURES[selection["measure"]],
        "values": [f"{point['value']:.3f}" for point in (last, best)],
        "collapsed": f"after step {after}" if after is not None else "no" if evaluated else "–",
    }
