"""Write the report of a study: one HTML file with its tables, the pages about its data and pairs, and its runs.

The file loads nothing and runs no program. Style, pages and figures are inside it; everything else is a relative link.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from tabpo.privacy import NOTICE
from tabpo.tables.cells import code_differences
from tabpo.tables.files import FILES

TEMPLATE = Path(__file__).with_name("report.html.jinja")

DEEPER = 3
"""How many levels lower the headings of a page are in the report."""

MEASURES = {"f1": "F1", "nll": "NLL, nats a token", "reward_accuracy": "pairs ranked right"}
"""The measures for choices on dev_select: the name in `selection.json`, and the name for readers."""

_RULES = ("heading", "list", "table", "backticks")
_PAGES = MarkdownIt("zero").enable(
    [*_RULES]
)  # no emphasis or escapes, since data may hold asterisks and backslashes; no links or images
_TABLES = MarkdownIt("zero").enable([*_RULES, "emphasis", "escape"])
_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")


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
    return [f"{table}.md" for table in table_files(settings)] + exhibits


def render_report(settings: Mapping[str, Any], contents: Mapping[str, str], runs: Sequence[ReportedRun]) -> str:
    """The report as HTML. Equal studies give equal text: it holds no time, host, absolute path or commit.

    Args:
        settings: The settings from `report_settings`, and as `looks` the counts from `count_looks`.
        contents: The content of each of `shown_files`, by its path.
        runs: All runs of the study, in order.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    tables = {table: contents[f"{table}.md"] for table in table_files(settings)}
    return environment.from_string(TEMPLATE.read_text()).render(
        **{key: settings[key] for key in ("study", "presets", "seeds", "datasets", "models", "methods", "looks")},
        tables=[_table(table, text) for table, text in tables.items()],
        rehearsals=[name for name in settings["tables"] if "\n**REHEARSAL" in f"\n{tables[f'tables/{name}']}"],
        costs=[f"tables/cost.{ending}" for ending in ("csv", "md", "tex") if settings["costs"]],
        sections=_sections(settings, contents),
        blocks=_blocks(runs),
        notice=NOTICE if any(entry["private"] for entry in settings["datasets"]) else "",
        differing=code_differences([run.provenance for run in runs], strict=False),
    )


def _table(table: str, text: str) -> dict[str, Any]:
    """What the template needs of a table: its Markdown as HTML, and links to its files."""
    return {
        "id": table.replace("/", "-"),
        "name": PurePath(table).name,
        "per_metric": "/per_metric/" in table,
        "html": Markup(_html(_TABLES, text)),
        "links": [f"{table}.{ending}" for ending in FILES],
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
    figure = exhibit["files"][0].endswith(".svg")
    if figure:
        description = " ".join(filter(None, [exhibit["title"], "of", exhibit["dataset"], exhibit["model"]]))
        data = base64.b64encode(content.encode()).decode()
        html = Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(description, data)
    else:
        html = Markup(_html(_PAGES, content))
    return {**exhibit, "figure": figure, "html": html}


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


def _html(parser: MarkdownIt, text: str) -> str:
    """Markdown as HTML: headings `DEEPER` levels down, numbers aligned right, wide tables scroll on their own."""
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + DEEPER}"
    _mark_numbers(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    return html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")


def _mark_numbers(tokens: Sequence[Token]) -> None:
    """Give the cells of a column, including its head, the class `number` if its body has only numbers."""
    columns: dict[int, list[tuple[Token, str]]] = {}
    place = 0
    for token, content in pairwise(tokens):
        if token.type == "table_open":
            columns = {}
        elif token.type == "tr_open":
            place = 0
        elif token.type in ("th_open", "td_open"):
            columns.setdefault(place, []).append((token, content.content))
            place += 1
        elif token.type == "tbody_close":
            for cells in columns.values():
                filled = [text for cell, text in cells if cell.type == "td_open" and text not in ("", "–")]
                if filled and all(map(_NUMBER.fullmatch, filled)):
                    for cell, _ in cells:
                        cell.attrs = {"class": "number"}
