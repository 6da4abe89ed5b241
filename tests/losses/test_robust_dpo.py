"""Robust DPO: unbiased under flipped pairs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # margin -.07: (.9 log(1 + exp(.07)) - .1 log(1 + exp(-.07))) / .8
    losses = build_loss("robust_dpo", beta=0.1, epsilon=0.1)(*golden).losses
    assert losses.item() == pytest.approx(0.737509556, abs=1e-9)


def test_values_from_torchtune_inputs(make_sequence_pair):
    # margins 0, 10, 20 nats; the last is negative
    pair = make_sequence_pair([-0.5, -10, -1], [-0.1, -30, -21], [-0.5, -10.1, -0.1], [-0.1, -20.1, -0.1])
    expected = torch.tensor([0.693147, 0.188262, -0.123072], dtype=torch.float64)
    losses = build_loss("robust_dpo", beta=0.1, epsilon=0.1)(*pair).losses
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_epsilon_zero_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    robust = build_loss("robust_dpo", beta=beta, epsilon=0)(*pair).losses
    assert torch.equal(robust, build_loss("dpo", beta=beta)(*pair).losses)


@given(seed=st.integers(0, 10_000), epsilon=st.floats(0, 0.49))
def test_its_mean_over_flips_is_dpo(make_random_pair, seed, epsilon):
    chosen, rejected = make_random_pair(seed)
    robust = build_loss("robust_dpo", epsilon=epsilon)
    mean = (1 - epsilon) * robust(chosen, rejected).losses + epsilon * robust(rejected, chosen).losses
    torch.testing.assert_close(mean, build_loss("dpo")(chosen, rejected).losses, atol=1e-9, rtol=0)


@pytest.mark.parametrize("epsilon", [-0.1, 0.5, 1, math.inf, False, None])
def test_refused_epsilon(epsilon):
    with pytest.raises(ConfigError, match=r"robust_dpo: epsilon must be a number from 0, below 0.5, got"):
        build_loss("robust_dpo", epsilon=epsilon)
