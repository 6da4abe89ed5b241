"""Token erosion worked out by hand, and its figure: the content and equal bytes for equal rows."""

import json

import pytest

from tabpo.reports.erosion_figure import CLASSES, erosion, spread, token_counts, write_erosion_figure
from workflow_scripts import erosion_figure

START = {"step": 0, "field": "label", "frequency": "1-9", "confidence": "0-0.5", "tokens": 9, "drift": 0.0}


def rows_of_run(*last: tuple) -> list[dict]:
    """Rows of a run: one of step 0, then those of step 7 as (field, frequency, confidence, tokens, drift)."""
    return [START, *(dict(zip(START, (7, *row), strict=True)) for row in last)]


FIRST = rows_of_run(
    ("scaffolding", "-", "0.99-1", 30, 0.0),
    ("label", "1-9", "0-0.5", 2, -0.4),
    ("label", "100-999", "0-0.5", 6, -0.2),
    ("span", "100-999", "0.5-0.9", 2, 0.5),
)
SECOND = rows_of_run(
    ("scaffolding", "-", "0.99-1", 30, 0.2),
    ("label", "1-9", "0-0.5", 2, 0.0),
    ("label", "100-999", "0-0.5", 6, -0.4),
    ("span", "100-999", "0.9-0.99", 2, -0.5),
)


def test_tokens_of_a_class_have_equal_weight_and_so_have_seeds():
    drifts = erosion({"dpo": [FIRST, SECOND], "rpo": [FIRST]}, "field")
    # labels: (2 * -0.4 + 6 * -0.2) / 8 = -0.25 and (6 * -0.4) / 8 = -0.3; their mean is -0.275
    assert drifts["dpo"] == pytest.approx({"scaffolding": 0.1, "label": -0.275, "span": 0.0})
    assert drifts["rpo"] == pytest.approx({"scaffolding": 0.0, "label": -0.25, "span": 0.5})


def test_the_spread_over_seeds_is_a_standard_deviation(tmp_path):
    spreads = spread({"dpo": [FIRST, SECOND], "rpo": [FIRST]}, "field")
    # two values a and b have the deviation |a - b| / sqrt(2): 0 and .2; -.25 and -.3; .5 and -.5
    assert spreads["dpo"] == pytest.approx({"scaffolding": 0.2 / 2**0.5, "label": 0.05 / 2**0.5, "span": 0.5**0.5})
    write_erosion_figure(tmp_path / "several.svg", {"dpo": [FIRST, SECOND]}, "demo")
    write_erosion_figure(tmp_path / "single.svg", {"dpo": [FIRST]}, "demo")
    several, single = ((tmp_path / f"{name}.svg").read_text() for name in ("several", "single"))
    assert several.count("<!-- -.28") + several.count("±.04 -->") > 1 and "±" not in single


def test_tokens_without_a_label_have_no_frequency():
    # frequent labels: (6 * -0.2 + 2 * 0.5) / 8 = -0.025 and (6 * -0.4 - 2 * 0.5) / 8 = -0.425
    drifts = erosion({"dpo": [FIRST, SECOND]}, "frequency")["dpo"]
    assert drifts == pytest.approx({"1-9": -0.2, "100-999": -0.225})
    assert list(drifts) == ["1-9", "100-999"]


def test_a_class_that_a_seed_lacks_is_left_out():
    assert list(erosion({"dpo": [FIRST, SECOND]}, "confidence")["dpo"]) == ["0-0.5", "0.99-1"]


def test_the_number_of_tokens_is_a_mean_over_runs():
    # labels: 2 + 6 in both runs; scaffolding as the rows say; confidence 0.5-0.9 has 2 tokens in one run of two
    counts = token_counts({"dpo": [FIRST, SECOND]}, "field")
    assert (counts["label"], counts["sublabel"]) == (8, 0)
    assert token_counts({"dpo": [FIRST, SECOND]}, "confidence")["0.5-0.9"] == 1


def test_equal_rows_give_equal_bytes_and_only_present_classes_get_columns(tmp_path):
    watched = {f"method_{number}": [FIRST, SECOND] for number in range(24)}
    for name in ("one.svg", "two.svg"):
        write_erosion_figure(tmp_path / name, watched, "demo, tiny")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "<!-- demo, tiny -->" in text
    assert [name for name in watched if text.count(f"<!-- {name} -->") != 1] == []
    shown = {by: [name for name in classes if f"<!-- {name} (" in text] for by, classes in CLASSES.items()}
    assert shown["field"] == ["scaffolding", "label", "span"] and shown["frequency"] == ["1-9", "100-999"]
    assert (
        text.count("<!-- .10") == 2 * 24
    )  # for scaffolding, and for the confidence class 0.99-1, which has the same tokens


def test_a_value_that_rounds_to_zero_has_no_sign(tmp_path):
    rows = rows_of_run(("label", "1-9", "0-0.5", 9, -0.004), ("span", "1-9", "0-0.5", 9, -1.96))
    write_erosion_figure(tmp_path / "one.svg", {"dpo": [rows]}, "demo")
    text = (tmp_path / "one.svg").read_text()
    assert "<!-- .00 -->" in text and "<!-- -2.0 -->" in text and "<!-- -.00 -->" not in text


def test_the_program_draws_the_runs_of_its_settings(tmp_path):
    path = tmp_path / "own/tiny/dpo/seed1/watch.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"health": [], "erosion": rows_of_run(("scaffolding", "-", "0.99-1", 4, -0.3))}))
    settings = json.dumps({"runs": [{"dataset": "own", "model": "tiny", "method": "dpo", "seeds": [1]}]})
    arguments = ["--settings", settings, "--results", str(tmp_path), "--title", "own, tiny"]
    erosion_figure.main([*arguments, "--output", str(tmp_path / "tiny.svg")])
    text = (tmp_path / "tiny.svg").read_text()
    assert "<!-- own, tiny -->" in text and "scaffolding" in text
