"""KTO on pairs: hand-worked values, and what its reference points do and do not do."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_hand_worked_pair(golden):
    # q = -.035 and .035; z(chosen) = .035, z(rejected) = 0: 1 - sigmoid(-.07) and 1 - sigmoid(-.035)
    output = build_loss("kto_pair", beta=0.1)(*golden)
    assert output.losses.item() == pytest.approx((sigmoid(0.07) + sigmoid(0.035)) / 2, abs=1e-12)
    assert output.losses.item() == pytest.approx(0.513120982, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.035, 0.035))


def test_each_side_has_its_weight(golden):
    losses = build_loss("kto_pair", beta=0.1, lambda_d=1.0, lambda_u=1.5)(*golden).losses
    assert losses.item() == pytest.approx((sigmoid(0.07) + 1.5 * sigmoid(0.035)) / 2, abs=1e-12)


def test_a_policy_at_its_reference_scores_the_mean_of_half_the_weights(make_side):
    side = make_side([[-0.3, -2.0]], [[-0.3, -2.0]])
    assert build_loss("kto_pair", lambda_d=1.0, lambda_u=3.0)(side, side).losses.item() == 1.0


def test_reference_points_are_constants_at_least_zero(make_sequence_pair, gradients_of):
    # beta 1; q = 2 and 1: both terms 1 - sigmoid(1), each with the slope of its own side alone, sigmoid'(1) / 2
    loss = build_loss("kto_pair", beta=1.0)
    pair = make_sequence_pair([2.0, -2.0], [1.0, -1.0], [0.0, 0.0], [0.0, 0.0])
    output, (chosen, rejected) = gradients_of(loss, pair)
    slope = sigmoid(1) * sigmoid(-1) / 2
    assert output.losses[0].item() == pytest.approx(sigmoid(-1), abs=1e-12)
    assert (chosen[0].item(), rejected[0].item()) == pytest.approx((-slope, slope), abs=1e-12)
    # q = -2 and -1: both reference points are 0
    assert output.losses[1].item() == pytest.approx((sigmoid(2) + sigmoid(-1)) / 2, abs=1e-12)
    slopes = -sigmoid(2) * sigmoid(-2) / 2, sigmoid(1) * sigmoid(-1) / 2
    assert (chosen[1].item(), rejected[1].item()) == pytest.approx(slopes, abs=1e-12)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_where_both_sides_gained_it_is_the_error_rate_of_dpo(make_random_pair, seed, beta):
    # both terms are 1 - sigmoid(beta * (S(chosen) - S(rejected)))
    pair = make_random_pair(seed)
    kto, dpo = build_loss("kto_pair", beta=beta)(*pair), build_loss("dpo", beta=beta)(*pair)
    gained = (dpo.chosen_rewards >= 0) & (dpo.rejected_rewards >= 0)
    torch.testing.assert_close(kto.losses[gained], 1 - torch.exp(-dpo.losses[gained]))
    assert torch.equal(kto.chosen_rewards, dpo.chosen_rewards)


@given(seed=st.integers(0, 10_000), lambda_d=st.floats(0.1, 5), lambda_u=st.floats(0.1, 5))
def test_is_bounded_by_its_weights(make_random_pair, seed, lambda_d, lambda_u):
    losses = build_loss("kto_pair", beta=3.0, lambda_d=lambda_d, lambda_u=lambda_u)(*make_random_pair(seed)).losses
    assert (losses >= 0).all() and (losses <= (lambda_d + lambda_u) / 2).all()


@pytest.mark.parametrize("params", [{"beta": 0}, {"beta": True}, {"lambda_d": 0}, {"lambda_u": -1}, {"lambda_u": "1"}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"kto_pair: {next(iter(params))} must be a number above 0"):
        build_loss("kto_pair", **params)


def test_the_paper_s_name_is_unknown():
    with pytest.raises(ConfigError, match=r"unknown loss kto; there are: .*\bkto_pair\b"):
        build_loss("kto")
