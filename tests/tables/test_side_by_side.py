"""Tables of data sets side by side: each has its own metrics and means, and LaTeX names it above its columns."""

import csv
import io

import pytest

from tabpo.tables.files import table_files
from tests.tables.made_runs import made_study, settings

ROWS = ["sft", "tab_po", "dictionary"]
BY_DATASET = {"scierc": ["ner_strict", "rel"], "phee": ["triple"]}


def made(models=("tiny",), **changed) -> dict[str, str]:
    runs = []
    for number, (dataset, metrics) in enumerate(BY_DATASET.items()):
        means = {"sft": 4.0, "tab_po": 8.0}
        runs += made_study(means, metrics=metrics, datasets=[dataset], models=models, number=number)
    metrics = ["ner_strict", "rel", "triple"]
    for run in runs:  # as in files of scores and counts, a data set lacks the metrics of the other
        run.estimates.gold.update(dict.fromkeys(set(metrics) - set(run.estimates.gold), 0.0))
    about = {"layout": "side_by_side", "by_dataset": BY_DATASET, "metrics": metrics, "tested": ["ner_strict", "triple"]}
    return table_files(settings(ROWS, **about | changed), runs, [], {})


def rows_of(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_each_data_set_has_columns_of_its_own_metrics():
    files = made()
    head, sft, tab_po, dictionary = rows_of(files["md"])
    assert head == ["method", "scierc / NER", "scierc / Rel", "phee / Triple"]
    assert [row[0] for row in (sft, tab_po, dictionary)] == ROWS and "–" not in sft + tab_po + dictionary
    assert tab_po[1].endswith("▲") and tab_po[3].endswith("▲") and not tab_po[2].endswith("▲")  # Rel is not tested
    tests = list(csv.DictReader(io.StringIO(files["tests.csv"])))
    assert {(test["dataset"], test["metric"], test["tests"]) for test in tests if test["family"]} == {
        ("scierc", "ner_strict", "2"),
        ("phee", "triple", "2"),
    }
    cells = list(csv.DictReader(io.StringIO(files["csv"])))
    assert {(cell["dataset"], cell["metric"]) for cell in cells} == {
        *(("scierc", "ner_strict"), ("scierc", "rel"), ("phee", "triple"))
    }


def test_latex_names_each_data_set_above_its_columns():
    lines = made(names={"phee": "PHEE & more"})["tex"].splitlines()
    place = lines.index(r"\toprule")
    assert lines[place + 1 : place + 5] == [
        r" & \multicolumn{2}{c}{SciERC} & \multicolumn{1}{c}{PHEE \& more} \\",
        r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}",
        r"Method & NER & Rel & Triple \\",
        r"\midrule",
    ]
    assert r"\begin{tabular}{lrrr}" in lines or r"\begin{tabular*}{\columnwidth}{@{\extracolsep{\fill}}lrrr}" in lines


def test_models_are_rows_and_their_mean_is_of_each_data_set():
    files = made(models=("small", "large"))
    rows = rows_of(files["md"])
    assert rows[0][:2] == ["model", "method"]
    assert list(dict.fromkeys(row[0] for row in rows[1:])) == ["small", "large", "mean of 2 models"]
    cells = list(csv.DictReader(io.StringIO(files["csv"])))
    of_tab_po = {
        (cell["dataset"], cell["model"], cell["metric"]): float(cell["mean"])
        for cell in cells
        if cell["method"] == "tab_po"
    }
    for dataset, metric in (("scierc", "rel"), ("phee", "triple")):
        models = [of_tab_po[dataset, model, metric] for model in ("small", "large")]
        assert of_tab_po[dataset, "mean of 2 models", metric] == pytest.approx(sum(models) / 2, abs=1e-6)
    assert r" & \multicolumn" in files["tex"] and files["tex"].count(r"\midrule") == 3
