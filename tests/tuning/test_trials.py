"""Points drawn from a grid, and training settings at a point, worked out by hand."""

import pytest

from tabpo.errors import ConfigError
from tabpo.tuning.trials import draw_trials, is_trial, scaled_training, trial_name

GRID = ([0.3, 1.0, 3.0], [0.5, 1.0])


def test_points_are_distinct_and_of_the_grid():
    points = draw_trials("dpo", 12, *GRID, {"beta": [0.1, 0.2]})
    assert len({(point["learning_rate"], point["steps"], point["params"]["beta"]) for point in points}) == 12
    assert draw_trials("dpo", 5, *GRID, {"beta": [0.1, 0.2]}) == points[:5]


def test_methods_with_equal_grids_have_equal_trials():
    assert draw_trials("sft", 4, *GRID, {}) == draw_trials("sft_continued", 4, *GRID, {})


def test_a_grid_with_fewer_points_than_trials_is_refused():
    assert len(draw_trials("sft", 6, *GRID, {})) == 6
    with pytest.raises(ConfigError, match=r"tuning\.trials is 7, but the grid of sft has 6 points; accepted: at most"):
        draw_trials("sft", 7, *GRID, {})


def test_steps_and_warm_up_are_multiplied_and_rounded():
    training = {"learning_rate": 2e-4, "steps": 15, "warmup_steps": 3, "batch_size": 8}
    scaled = scaled_training(training, {"learning_rate": 0.3, "steps": 0.5, "params": {}})
    assert scaled == {"learning_rate": 6e-5, "steps": 8, "warmup_steps": 2, "batch_size": 8}
    assert scaled_training(training, {"learning_rate": 1.0, "steps": 0.01, "params": {}})["steps"] == 1


def test_epochs_are_multiplied_where_they_are_the_length():
    training = {"learning_rate": 1e-5, "epochs": 3, "warmup_ratio": 0.1}
    scaled = scaled_training(training, {"learning_rate": 3.0, "steps": 0.3, "params": {}})
    assert scaled == {"learning_rate": 3e-5, "epochs": 0.9, "warmup_ratio": 0.1}


def test_the_name_of_a_trial_can_be_told():
    assert trial_name("dpo", 3) == "dpo+trial3"
    assert is_trial("dpo+trial3") and not is_trial("dpo.trial3")
