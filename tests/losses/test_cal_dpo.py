"""Cal-DPO: its three terms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # log(1 + exp(.7)) + (-.35 - 5)^2 + (.35 + 5)^2
    output = build_loss("cal_dpo", beta=0.1)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(0.7)) + 2 * 5.35**2, abs=1e-12)
    assert output.losses.item() == pytest.approx(58.348186049, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.035, 0.035))


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_is_dpo_at_beta_one_plus_distances_of_rewards(make_random_pair, seed, beta):
    # beta^2 (S - 1 / (2 beta))^2 = (beta S - 1 / 2)^2
    pair = make_random_pair(seed)
    output = build_loss("cal_dpo", beta=beta)(*pair)
    distances = (output.chosen_rewards - 0.5).square() + (output.rejected_rewards + 0.5).square()
    torch.testing.assert_close(output.losses, build_loss("dpo", beta=1.0)(*pair).losses + distances / beta**2)


def test_on_target_the_logistic_term_is_left(make_side):
    chosen, rejected = make_side([[-1.0]], [[-3.5]]), make_side([[-4.5]], [[-2.0]])
    losses = build_loss("cal_dpo", beta=0.2)(chosen, rejected).losses
    assert losses.item() == pytest.approx(math.log(1 + math.exp(-5)), abs=1e-12)


@pytest.mark.parametrize("beta", [0, -0.1, math.inf, True, "0.1"])
def test_refused_beta(beta):
    with pytest.raises(ConfigError, match="cal_dpo: beta must be a number above 0"):
        build_loss("cal_dpo", beta=beta)
