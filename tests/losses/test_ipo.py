"""IPO in its two conventions, which share a name elsewhere."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # sums: (-.35 - .35 - 5)^2; means: (-.35 / 4 - .35 / 5 - 5)^2
    assert build_loss("ipo_sum", beta=0.1)(*golden).losses.item() == pytest.approx(32.49, abs=1e-9)
    assert build_loss("ipo_mean", beta=0.1)(*golden).losses.item() == pytest.approx(26.599806250, abs=1e-9)


def test_sums_from_torchtune_inputs(make_sequence_pair):
    # margins 0, 10, 20 nats, target 5
    pair = make_sequence_pair([-0.5, -10, -1], [-0.1, -30, -21], [-0.5, -10.1, -0.1], [-0.1, -20.1, -0.1])
    losses = build_loss("ipo_sum", beta=0.1)(*pair).losses
    assert losses.tolist() == pytest.approx([25, 25, 225], abs=1e-9)


def test_means_from_llama_factory_inputs(make_side):
    # margins 1.6, .6, 1.6 and .6 nats over four tokens: (.4 - 5)^2 and (.15 - 5)^2
    def side(policy, reference):
        return make_side([[value / 4] * 4 for value in policy], [[value / 4] * 4 for value in reference])

    chosen = side([-3, -2.5, -4, -1.5], [-2.8, -2.3, -3.8, -1.4])
    rejected = side([-5, -3.5, -6, -2.5], [-3.2, -2.7, -4.2, -1.8])
    losses = build_loss("ipo_mean", beta=0.1)(chosen, rejected).losses
    assert losses.tolist() == pytest.approx([21.16, 23.5225, 21.16, 23.5225], abs=1e-9)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), tokens=st.integers(1, 9))
def test_equal_lengths_are_the_same_loss_at_another_scale(make_equal_pair, seed, beta, tokens):
    # (D / T - 1 / (2 beta))^2 = (D - 1 / (2 beta / T))^2 / T^2
    pair = make_equal_pair(seed, tokens)
    means, sums = build_loss("ipo_mean", beta=beta)(*pair), build_loss("ipo_sum", beta=beta / tokens)(*pair)
    torch.testing.assert_close(means.losses * tokens**2, sums.losses)


@pytest.mark.parametrize("name", ["ipo_sum", "ipo_mean"])
def test_the_target_is_a_reward_of_a_half(make_side, name):
    chosen, rejected = make_side([[-1.0]], [[-3.5]]), make_side([[-2.0]], [[-2.0]])
    output = build_loss(name, beta=0.2)(chosen, rejected)
    assert (output.losses.item(), output.chosen_rewards.item()) == (0.0, 0.5)


@pytest.mark.parametrize("name", ["ipo_sum", "ipo_mean"])
@pytest.mark.parametrize("beta", [0, -0.1, math.nan, True, None])
def test_refused_beta(name, beta):
    with pytest.raises(ConfigError, match=f"{name}: beta must be a number above 0"):
        build_loss(name, beta=beta)


def test_the_bare_name_is_refused():
    with pytest.raises(ConfigError, match=r"unknown loss ipo; there are: .*ipo_mean, ipo_sum"):
        build_loss("ipo")
