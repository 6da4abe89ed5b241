"""Token erosion by hand, and its figure: what is in it, and in which bytes."""

import json

import pytest

from tabpo.reports.erosion_figure import CLASSES, erosion, write_erosion_figure
from workflow_scripts import erosion_figure

START = {"step": 0, "field": "label", "frequency": "1-9", "confidence": "0-0.5", "tokens": 9, "drift": 0.0}


def looks(*last: tuple) -> list[dict]:
    """Rows of a run: one of step 0, then of step 7 field, frequency, confidence, tokens and drift."""
    return [START, *(dict(zip(START, (7, *row), strict=True)) for row in last)]


FIRST = looks(
    ("scaffolding", "-", "0.99-1", 30, 0.0),
    ("label", "1-9", "0-0.5", 2, -0.4),
    ("label", "100-999", "0-0.5", 6, -0.2),
    ("span", "100-999", "0.5-0.9", 2, 0.5),
)
SECOND = looks(
    ("scaffolding", "-", "0.99-1", 30, 0.2),
    ("label", "1-9", "0-0.5", 2, 0.0),
    ("label", "100-999", "0-0.5", 6, -0.4),
    ("span", "100-999", "0.9-0.99", 2, -0.5),
)


def test_tokens_of_a_class_weigh_alike_and_seeds_too():
    found = erosion({"dpo": [FIRST, SECOND], "rpo": [FIRST]}, "field")
    # labels: (2 * -0.4 + 6 * -0.2) / 8 = -0.25 and (6 * -0.4) / 8 = -0.3; their mean is -0.275
    assert found["dpo"] == pytest.approx({"scaffolding": 0.1, "label": -0.275, "span": 0.0})
    assert found["rpo"] == pytest.approx({"scaffolding": 0.0, "label": -0.25, "span": 0.5})


def test_tokens_without_a_label_have_no_frequency():
    # frequent labels: (6 * -0.2 + 2 * 0.5) / 8 = -0.025 and (6 * -0.4 - 2 * 0.5) / 8 = -0.425
    found = erosion({"dpo": [FIRST, SECOND]}, "frequency")["dpo"]
    assert found == pytest.approx({"1-9": -0.2, "100-999": -0.225})
    assert list(found) == ["1-9", "100-999"]


def test_a_class_that_a_seed_has_not_is_no_mean_of_the_others():
    assert list(erosion({"dpo": [FIRST, SECOND]}, "confidence")["dpo"]) == ["0-0.5", "0.99-1"]


def test_the_same_bytes_twice_and_a_column_for_what_is_there(tmp_path):
    watched = {f"method_{number}": [FIRST, SECOND] for number in range(24)}
    for name in ("one.svg", "two.svg"):
        write_erosion_figure(tmp_path / name, watched, "demo, tiny")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "<!-- demo, tiny -->" in text
    assert [name for name in watched if text.count(f"<!-- {name} -->") != 1] == []
    shown = {by: [name for name in classes if f"<!-- {name} -->" in text] for by, classes in CLASSES.items()}
    assert shown["field"] == ["scaffolding", "label", "span"] and shown["frequency"] == ["1-9", "100-999"]
    assert text.count("<!-- .10 -->") == 2 * 24  # scaffolding, which is also all that was sure


def test_what_rounds_to_nothing_has_no_sign(tmp_path):
    rows = looks(("label", "1-9", "0-0.5", 9, -0.004), ("span", "1-9", "0-0.5", 9, -1.96))
    write_erosion_figure(tmp_path / "one.svg", {"dpo": [rows]}, "demo")
    text = (tmp_path / "one.svg").read_text()
    assert "<!-- .00 -->" in text and "<!-- -2.0 -->" in text and "<!-- -.00 -->" not in text


def test_the_program_draws_the_runs_it_is_given(tmp_path):
    path = tmp_path / "own/tiny/dpo/seed1/watch.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"health": [], "erosion": looks(("scaffolding", "-", "0.99-1", 4, -0.3))}))
    settings = json.dumps({"runs": [{"dataset": "own", "model": "tiny", "method": "dpo", "seeds": [1]}]})
    arguments = ["--settings", settings, "--results", str(tmp_path), "--title", "own, tiny"]
    erosion_figure.main([*arguments, "--output", str(tmp_path / "tiny.svg")])
    text = (tmp_path / "tiny.svg").read_text()
    assert "<!-- own, tiny -->" in text and "scaffolding" in text
