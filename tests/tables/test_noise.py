"""Tables of label noise: a row for each method, a column for each share of flips, and differences within a method."""

import csv
import io

import pandas as pd
import pytest

from tabpo.tables.files import table_files
from tabpo.tables.macros import render_macros
from tests.tables.made_runs import made_study, settings

RATES = {
    "dpo": {"dpo": 0.0, "dpo+flip0.1": 0.1, "dpo+flip0.2": 0.2},
    "tab_po": {"tab_po": 0.0, "tab_po+flip0.1": 0.1, "tab_po+flip0.2": 0.2},
}
RIGHT = {"sft": 5.0, "dpo": 7.0, "dpo+flip0.1": 6.0, "dpo+flip0.2": 4.0}
RIGHT |= {"tab_po": 8.0, "tab_po+flip0.1": 8.0, "tab_po+flip0.2": 8.0}
METRICS = ["ner_strict", "rel"]


def table(runs=None, **changed):
    runs = runs or made_study(RIGHT, metrics=METRICS, documents=60)
    return table_files(settings(list(RIGHT), layout="noise", rates=RATES, metrics=METRICS, **changed), runs, [], {})


def test_a_row_for_each_method_and_a_column_for_each_metric_and_share():
    lines = [line for line in table()["md"].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = [f"{metric}, {rate} %" for metric in ("NER", "Rel") for rate in (0, 10, 20)]
    assert cells[0] == ["method", *heads]
    assert [row[0] for row in cells[1:4]] == ["sft", "dpo", "tab_po"]
    assert cells[1][2:4] == ["–", "–"] and cells[1][5:] == ["–", "–"]  # SFT trains on no pairs
    assert [float(text.split()[0]) for text in cells[2][1:4]] == pytest.approx([70, 60, 40], abs=2)
    assert cells[2][3].endswith("▼") and "▼" not in cells[2][1] + "".join(cells[3])
    assert r"Method & NER, 0 \% & NER, 10 \% " in table()["tex"]


def test_each_row_is_compared_with_its_own_method_without_flips_as_one_family():
    tests = list(csv.DictReader(io.StringIO(table()["tests.csv"])))
    pairs = {(row["method"], row["against"]) for row in tests}
    assert pairs == {(row, method) for method, rates in RATES.items() for row in rates if row != method}
    assert {(row["family"], row["tests"]) for row in tests} == {("blocks", "8")}
    falls = {row["method"]: float(row["difference"]) for row in tests if row["metric"] == "ner_strict"}
    assert falls["dpo+flip0.2"] == pytest.approx(-30, abs=3)
    assert falls["tab_po+flip0.2"] == pytest.approx(0, abs=3)
    assert "over 8 differences" in table()["md"]


def test_the_csv_has_the_share_of_flips_and_its_numbers_become_macros():
    files = table()
    cells, tests = (pd.read_csv(io.StringIO(files[name])) for name in ("csv", "tests.csv"))
    assert dict(zip(cells["method"], cells["flip_rate"], strict=True)) == {
        "sft": 0.0,
        **RATES["dpo"],
        **RATES["tab_po"],
    }
    assert "tabpo:notes/tiny/dpo+flip0.2/ner_strict/mean" in render_macros({"noise": (cells, tests)})


def test_generated_data_are_a_rehearsal_without_marks():
    files = table(generated=["notes"])
    assert "REHEARSAL" in files["md"] and "▼" not in files["md"]


def test_several_models_have_rows_of_their_own_and_a_mean():
    runs = made_study(RIGHT, metrics=METRICS, documents=30, models=("small", "large"))
    lines = [line for line in table(runs)["md"].splitlines() if line.startswith("| ")]
    keys = [tuple(cell.strip() for cell in line.strip("|").split("|")[:3]) for line in lines[1:]]
    assert keys[:4] == [("notes", "small", "sft"), ("notes", "small", "dpo"), ("notes", "small", "tab_po"), keys[3]]
    assert ("notes", "mean of 2 models", "tab_po") in keys and len(keys) == 9
