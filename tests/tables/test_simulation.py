"""The program that measures error rates and power of the significance tests, on a few simulated studies."""

import numpy as np

from benchmarks.significance import METHODS, simulate, through_the_rule


def test_runs_have_the_score_and_the_agreement_that_the_program_states():
    counts = simulate(np.random.default_rng(0), (1, 4), 400, np.array([0.0, 5.0]), 0.0, 0.0)
    right, gold = counts[..., 0].sum(axis=-1), counts[..., 1].sum(axis=-1)
    assert np.abs(right[0] / gold[0] - 0.6).max() < 0.04
    assert abs((right[1] / gold[1] - right[0] / gold[0]).mean() - 0.05) < 0.015


def test_a_large_gain_is_found_by_the_rule_that_makes_tables():
    gains = np.zeros(METHODS + 1)
    gains[1] = 20.0
    row = through_the_rule("planted tables", 1, np.random.default_rng(0), models=2, seeds=3, gains=gains)
    assert row["found_by_the_mean"] == 1 and row["false_of_means"] == 0
