"""The choice among trials and the expected best of n, by hand and by drawing all samples."""

import json
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.tuning.choice import choose, expected_best, with_choice

POINTS = [{"learning_rate": rate, "steps": 1.0, "params": {"beta": 0.2}} for rate in (0.3, 1.0, 3.0)]


def test_the_best_mean_over_seeds_is_chosen():
    choice = choose(POINTS, [[10.0, 20.0], [30.0, 5.0], [0.0, 34.0]])
    assert (choice["number"], choice["chosen"]) == (1, POINTS[1])
    assert [trial["mean"] for trial in choice["trials"]] == [15.0, 17.5, 17.0]
    assert choice["trials"][0] == {**POINTS[0], "values": [10.0, 20.0], "mean": 15.0}


def test_the_first_of_equally_good_trials_is_chosen():
    assert choose(POINTS, [[1.0], [2.0], [2.0]])["number"] == 1


def test_the_expected_best_by_hand():
    # of 1, 2, 3 two draws have nine outcomes: one has the maximum 1, three have 2, five have 3
    assert expected_best([3.0, 1.0, 2.0])[:2] == pytest.approx([2.0, 22 / 9])


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5))
def test_the_expected_best_is_the_mean_maximum_of_all_samples(values):
    expected = [fmean(map(max, product(values, repeat=draws))) for draws in range(1, len(values) + 1)]
    assert expected_best(values) == pytest.approx(expected, abs=1e-9)
    assert expected_best(values)[-1] <= max(values) + 1e-9


def test_a_run_takes_the_choice_of_its_method(tmp_path):
    path = tmp_path / "dpo.json"
    path.write_text(json.dumps({"method": "dpo", **choose(POINTS, [[1.0], [2.0], [3.0]])}))
    training = {"learning_rate": 1e-4, "steps": 10}
    settings = {"method": {"name": "dpo", "params": {"beta": 0.1, "eps": 1}}, "training": training, "choice": str(path)}
    chosen = with_choice(settings)
    assert chosen["training"] == {"learning_rate": 3e-4, "steps": 10}
    assert chosen["method"]["params"] == {"beta": 0.2, "eps": 1}
    assert "choice" not in chosen and chosen["tuning"]["number"] == 2

    noisy = {**settings, "method": {**settings["method"], "name": "dpo+flip0.1"}}
    assert with_choice(noisy)["method"]["params"] == {"beta": 0.2, "eps": 1}
    other = {**settings, "method": {"name": "dpo_uniform", "params": {"beta": 0.1}}}
    assert with_choice(other)["method"] == other["method"]
    assert with_choice(other)["training"]["learning_rate"] == 3e-4
    without = {name: value for name, value in settings.items() if name != "choice"}
    assert with_choice(without) == without
