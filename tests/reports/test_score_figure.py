"""The figure of scores: dots and intervals as in the table, the baseline's line, and equal bytes for equal tables."""

import csv
import re

import pytest

from tabpo.reports.score_figure import dots, write_score_figure
from tabpo.reports.style import COLUMN, PAGE, PAGE_HEIGHT
from tabpo.tables.files import table_files
from tests.tables import made_runs
from workflow_scripts import score_figure

METRICS = ["ner_strict", "rel", "valid"]
ROWS = ["sft", "dpo", "tab_po", "dictionary"]


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    runs = made_runs.made_study({"sft": 5, "dpo": 6, "tab_po": 6}, metrics=METRICS, models=["tiny", "small"])
    settings = made_runs.settings(ROWS, metrics=METRICS, tested=METRICS[:2], generated=["notes"])
    return table_files(settings, runs, [], {})


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_dots_are_means_and_bars_are_intervals_of_differences_from_the_baselines_mean(table):
    cells, tests = lines(table["csv"]), lines(table["tests.csv"])
    panels = dots(cells, tests)
    assert list(panels) == [
        ("notes", model, metric) for model in ("tiny", "small", "mean of 2 models") for metric in METRICS[:2]
    ]
    means = {(row["model"], row["method"], row["metric"]): float(row["mean"]) for row in cells}
    for (_, model, metric), panel in panels.items():
        assert list(panel) == ["dpo", "tab_po"]
        for method, dot in panel.items():
            sft = means[model, "sft", metric]
            (test,) = (row for row in tests if (row["model"], row["method"], row["metric"]) == (model, method, metric))
            assert dot.mean == pytest.approx(means[model, method, metric], abs=1e-5)
            assert dot.line == pytest.approx(sft, abs=1e-5)
            assert (dot.low - sft, dot.high - sft) == pytest.approx((float(test["low"]), float(test["high"])), abs=1e-5)


def test_without_tested_metrics_all_are_drawn(table):
    tests = [row | {"family": ""} for row in lines(table["tests.csv"])]
    assert {metric for *_, metric in dots(lines(table["csv"]), tests)} == {*METRICS}


def draw(table: dict[str, str], folder, name: str) -> str:
    for ending, content in table.items():
        (folder / f"main.{ending}").write_text(content)
    inputs = [f"--{ending.replace('.', '-')}={folder}/main.{ending}" for ending in ("csv", "tests.csv", "md")]
    score_figure.main(["--title", "main", *inputs, "--output", str(folder / name)])
    return (folder / name).read_text()


def test_the_program_draws_a_panel_for_each_metric_of_each_model(table, tmp_path):
    text = draw(table, tmp_path, "one.svg")
    assert text == draw(table, tmp_path, "two.svg")
    assert "<!-- main, REHEARSAL -->" in text
    lines_of_titles = ("notes", "tiny", "small", "mean of 2 models", "NER", "Rel")
    assert [text.count(f"<!-- {line} -->") for line in lines_of_titles] == [6, 2, 2, 2, 3, 3]
    assert text.count("<!-- dpo -->") == 3 and "dictionary" not in text and "Valid" not in text


def panels(methods: int, models: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Lines of a table and of its tests: one metric of models on a data set, and its mean over the models."""
    keys = [
        {"dataset": "notes", "model": model, "method": f"method{method}", "metric": "rel"}
        for model in (*(f"model{number}" for number in range(models)), f"mean of {models} models")
        for method in range(methods)
    ]
    cells = [key | {"mean": "50.0"} for key in keys]
    return cells, [key | {"difference": "1.0", "low": "0.5", "high": "1.5", "family": ""} for key in keys]


@pytest.mark.parametrize(
    ("methods", "models", "drawn", "inches"),
    [(12, 3, 4, COLUMN), (12, 14, 15, PAGE), (12, 60, 1, COLUMN), (60, 2, 3, PAGE)],
)
def test_a_figure_grows_to_a_page_and_then_shows_the_means_over_models_alone(tmp_path, methods, models, drawn, inches):
    write_score_figure(tmp_path / "one.svg", *panels(methods, models), "main")
    text = (tmp_path / "one.svg").read_text()
    assert text.count("<!-- notes -->") == drawn and f"<!-- mean of {models} models -->" in text
    width, height = (float(re.search(rf'{side}="([\d.]+)pt"', text)[1]) / 72 for side in ("width", "height"))
    assert width == pytest.approx(inches, abs=0.3) and height < PAGE_HEIGHT + 0.2


@pytest.mark.filterwarnings("error")
def test_a_table_without_differences_has_an_empty_figure(table, tmp_path):
    first = table["tests.csv"].splitlines()[0] + "\n"
    assert "<!-- main -->" in draw(table | {"tests.csv": first, "md": "**Notes.**"}, tmp_path, "one.svg")
