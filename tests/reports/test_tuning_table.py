"""The table of tuning from choices written by hand."""

import io

import pandas as pd

from tabpo.reports.tuning_table import describe_tuning, tuning_csv, tuning_latex, tuning_markdown
from tabpo.tuning.choice import choose

POINTS = [
    {"learning_rate": 0.3, "steps": 1.0, "params": {"lambda_": 0.5}},
    {"learning_rate": 3.0, "steps": 0.5, "params": {"lambda_": 1.0}},
]
ABOUT = {"dataset": "scierc", "model": "tiny", "metric": "ner_strict", "split": "dev_select", "seeds": [1, 2]}
CHOICES = [
    {**ABOUT, "method": "tab_po", "flops": 1.5e12, **choose(POINTS, [[20.0, 30.0], [40.0, 30.0]])},
    {
        **ABOUT,
        "method": "sft",
        "flops": None,
        **choose([point | {"params": {}} for point in POINTS], [[1.0, 3.0], [1.0, 1.0]]),
    },
]


def test_the_printed_table_has_budget_choice_and_expected_best():
    notes = describe_tuning(CHOICES)
    rows = [line for line in tuning_markdown(CHOICES, notes).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0][3:] == [
        "trials",
        "FLOPs",
        "learning rate",
        "length",
        "params",
        "ner_strict",
        "best of 1",
        "best of 2",
    ]
    # two draws from 25 and 35 find 35 in three of four cases
    assert cells[1] == ["scierc", "tiny", "tab_po", "2", "1.5e12", "3", "0.5", "lambda_ 1.0", "35.0", "30.0", "32.5"]
    assert cells[2] == ["scierc", "tiny", "sft", "2", "–", "0.3", "1", "–", "2.0", "1.5", "1.8"]
    assert "with seeds 1, 2." in notes[0] and "no trial answered prompts of test" in notes[0]


def test_latex_has_no_bare_underscore():
    text = tuning_latex(CHOICES, [], {"tab_po": "Ours"})
    assert "Ours &" in text and r"lambda\_ 1.0" in text and r"ner\_strict" in text


def test_the_csv_has_a_line_for_each_trial():
    frame = pd.read_csv(io.StringIO(tuning_csv(CHOICES)))
    assert frame["mean"].tolist() == [25.0, 35.0, 2.0, 1.0]
    assert frame["chosen"].tolist() == [False, True, True, False]
    assert frame["expected_best"].tolist() == [30.0, 32.5, 1.5, 1.75]
    assert frame["by_seed"][0] == "20 30"
