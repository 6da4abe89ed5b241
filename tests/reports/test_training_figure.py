"""The lines of a training figure worked out by hand, and the figure: 24 methods, and equal bytes for equal logs."""

import json
import math

import numpy as np
import pytest

from tabpo.records import TrainingStep, write_records
from tabpo.reports.style import line_styles
from tabpo.reports.training_figure import PANELS, training_lines, write_training_figure
from workflow_scripts import training_figure

NAMES = [f"method_{number}" for number in range(24)]


def run(*margins: float | None, **others: float) -> list[TrainingStep]:
    return [TrainingStep(step, 0.0, 0.1, 1.0, 0.5, margin, **others) for step, margin in enumerate(margins, 1)]


def test_mean_and_range_of_seeds():
    line = training_lines({"dpo": [run(1, 2, 3), run(3, 4, 8)], "rpo": [run(0, 0, 0)] * 2}, "margin")["dpo"]
    assert line.steps.tolist() == [1, 2, 3]
    assert line.mean.tolist() == [2, 3, 5.5]
    assert line.low.tolist() == [1, 2, 3] and line.high.tolist() == [3, 4, 8]


def test_with_one_seed_mean_and_range_are_its_values():
    line = training_lines({"dpo": [run(1, -2)]}, "margin")["dpo"]
    assert line.mean.tolist() == line.low.tolist() == line.high.tolist() == [1, -2]


def test_a_point_is_the_mean_of_consecutive_steps():
    # 41 steps make 14 points: 13 of three steps each, whose mean is the middle step, and one of steps 40 and 41
    line = training_lines({"dpo": [run(*range(1, 42))]}, "margin")["dpo"]
    assert line.mean.tolist() == line.steps.tolist() == [*range(2, 39, 3), 40.5]


def test_steps_without_a_value_do_not_count_and_points_without_one_are_gaps():
    # 21 steps make points of two steps; the first point has one value, the second none
    line = training_lines({"dpo": [run(None, 4, None, None, *[1] * 17)]}, "margin")["dpo"]
    np.testing.assert_array_equal(line.mean, [4, math.nan, *[1] * 9])


def test_a_quantity_that_was_not_logged_has_no_line():
    assert set(training_lines({"dpo": [run(1, 2)], "rpo": [run(None, None)]}, "margin")) == {"dpo"}
    assert training_lines({"dpo": [run(1, 2)]}, "gate_rate") == {}


def test_a_stopped_run_ends_the_mean_of_its_method_only():
    lines = training_lines({"dpo": [run(1, 2, 3), run(3)], "rpo": [run(1, 2, 3)]}, "margin")
    np.testing.assert_array_equal(lines["dpo"].mean, [2, math.nan, math.nan])
    assert lines["rpo"].mean.tolist() == [1, 2, 3]


def test_48_methods_look_different():
    styles = line_styles(map(str, range(49)))
    drawn = [(tuple(style["color"]), style["linestyle"]) for style in styles.values()]
    assert len(set(drawn[:48])) == 48 and drawn[48] == drawn[0]


@pytest.fixture(scope="module")
def logs() -> dict:
    shares = {"accuracy": 0.5, "share_edited": 0.25}
    return {name: [run(number, 2 * number, **shares)] * 2 for number, name in enumerate(NAMES)}


def test_equal_logs_of_24_methods_give_equal_bytes(tmp_path, logs):
    for name in ("one.svg", "two.svg"):
        write_training_figure(tmp_path / name, logs, "demo, tiny")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "<!-- demo, tiny -->" in text
    assert [name for name in NAMES if text.count(f"<!-- {name} -->") != 1] == []
    drawn = {quantity for quantity, title in PANELS.items() if f"<!-- {title} -->" in text}
    assert drawn == {"margin", "accuracy", "share_edited"}  # the others were not logged


def test_the_program_draws_the_runs_of_its_settings(tmp_path, logs):
    runs = [{"dataset": "own", "model": "tiny", "method": name, "seeds": [1, 2]} for name in ("dpo", "rpo")]
    for method in ("dpo", "rpo"):
        for seed in (1, 2):
            path = tmp_path / f"own/tiny/{method}/seed{seed}/training.parquet"
            path.parent.mkdir(parents=True)
            write_records(path, TrainingStep, logs["method_1"][0])
    settings = json.dumps({"runs": runs})
    arguments = ["--settings", settings, "--results", str(tmp_path), "--title", "own, tiny"]
    training_figure.main([*arguments, "--output", str(tmp_path / "figures/tiny.svg")])
    text = (tmp_path / "figures/tiny.svg").read_text()
    assert "<!-- dpo -->" in text and "<!-- rpo -->" in text
    assert PANELS["margin"] in text and PANELS["accuracy"] in text
