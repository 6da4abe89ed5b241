"""Hand-worked scores of how pairs are ranked."""

import pytest

from tabpo.errors import DataError
from tabpo.metrics.ranking import mean_scores, pair_scores
from tabpo.records import Reference

REFERENCE = [Reference("a/0", (-1.0, -1.0), (-2.0,)), Reference("b/0", (-3.0,), (-1.0, -1.0))]


def test_two_pairs_by_hand():
    # a: rewards 1.5 and -1; b: -1 and 0.5. Means per token: a -0.25 over -3, b -4 under -0.75.
    policy = [Reference("a/0", (-0.25, -0.25), (-3.0,)), Reference("b/0", (-4.0,), (-1.0, -0.5))]
    assert mean_scores(pair_scores(policy, REFERENCE)) == {
        "reward_accuracy": 0.5,
        "ranking_accuracy": 0.5,
        "reward_margin": pytest.approx(0.5),  # (2.5 - 1.5) / 2
        "chosen_reward": pytest.approx(0.25),
        "rejected_reward": pytest.approx(-0.25),
    }


def test_ranking_is_by_the_mean_and_reward_by_the_sum():
    # A longer chosen answer: -3 in all is less than -2, but -1 a token more.
    policy = [Reference("a/0", (-1.0, -1.0, -1.0), (-2.0,))]
    reference = [Reference("a/0", (-1.0, -1.0, -0.5), (-2.0,))]
    (scores,) = pair_scores(policy, reference)
    assert (scores["ranking_accuracy"], scores["reward_accuracy"]) == (1.0, 0.0)


def test_the_reference_against_itself_is_at_chance():
    scores = mean_scores(pair_scores(REFERENCE, REFERENCE))
    assert scores["reward_accuracy"] == 0.5 and scores["reward_margin"] == 0.0


def test_other_pairs_are_refused():
    with pytest.raises(DataError, match="the policy's 2 pairs and the reference's 1 are not the same"):
        pair_scores(REFERENCE, REFERENCE[:1])
