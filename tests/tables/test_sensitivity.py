"""Tables of sensitivity: the column of values, and points of the figure that are worked by hand."""

import numpy as np
import pytest

from tabpo.tables.estimates import RunEstimates
from tabpo.tables.files import table_files
from tabpo.tables.sensitivity import sensitivity_points
from tabpo.tables.significance import Estimates
from tests.tables.made_runs import made_study, settings

VALUES = {"half": 0.5, "tab_po": 0.9, "by_mean": "mean"}
ROWS = ["sft", *VALUES]


def test_a_row_for_each_value_and_differences_to_the_default():
    runs = made_study({"sft": 4.0, "half": 8.0, "tab_po": 5.0, "by_mean": 5.0})
    about = {"layout": "sensitivity", "setting": "lambda_", "values": VALUES, "against": "tab_po"}
    files = table_files(settings(ROWS, **about, tested_rows=["half", "by_mean"]), runs, [], {})
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in files["md"].splitlines() if line[:2] == "| "]
    assert [row[:2] for row in rows] == [
        *(["method", "lambda_"], ["sft", "–"], ["half", "0.5"], ["tab_po", "0.9 (default)"], ["by_mean", "mean"])
    ]
    assert rows[2][2].endswith("▲") and not rows[4][2].endswith("▲")
    assert r"Method & lambda\_ & NER \\" in files["tex"] and "TAB-PO & 0.9 (default) & " in files["tex"]
    assert files["tests.csv"].count(",tab_po,ner_strict,3,40,") == 3  # SFT and two values against the default
    assert "Holm-adjusted p < .05 over the 2 tested differences" in files["md"]


def of_run(whole: float, without: list[float], gold: float = 5) -> RunEstimates:
    estimates = {
        "ner_strict": Estimates(np.array([whole]), np.array([without])),
        "rel": Estimates(np.zeros(1), np.zeros((1, len(without)))),
    }
    return RunEstimates("same", estimates, {"ner_strict": gold, "rel": 0})


def test_points_by_hand():
    # pseudovalues 3 * whole - 2 * without are whole + 2, whole, whole - 2 in both seeds: v_D = var(2, 0, -2) / 3
    runs = {
        "sft": [of_run(50, [49, 50, 51])],
        "tab_po": [of_run(whole, [whole - 1, whole, whole + 1]) for whole in (60, 64)],
    }
    points = sensitivity_points(runs, ["ner_strict", "rel"])
    assert list(points) == ["ner_strict"]  # rel has no gold items
    sft, tab_po = points["ner_strict"]["sft"], points["ner_strict"]["tab_po"]
    t_two, t_one = 4.302652729696142, 12.706204736174694  # .975 quantiles with 2 and 1 degrees of freedom
    half = t_two * (4 / 3) ** 0.5
    assert (sft.mean, sft.low, sft.high) == pytest.approx((50, 50 - half, 50 + half))
    # two seeds: MS_E = 0, v_S = var(60, 64) / 2 = 4, v_D as above
    half = (4 * t_one**2 + 4 / 3 * t_two**2) ** 0.5
    assert (tab_po.mean, tab_po.low, tab_po.high) == pytest.approx((62, 62 - half, 62 + half))
