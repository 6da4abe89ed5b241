"""Conservative DPO: smoothed labels."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # margin -.07: .9 log(1 + exp(.07)) + .1 log(1 + exp(-.07))
    losses = build_loss("cdpo", beta=0.1, epsilon=0.1)(*golden).losses
    assert losses.item() == pytest.approx(0.721759556, abs=1e-9)


def test_values_from_torchtune_inputs(make_sequence_pair):
    # margins 0, 10, 20 nats
    pair = make_sequence_pair([-0.5, -10, -1], [-0.1, -30, -21], [-0.5, -10.1, -0.1], [-0.1, -20.1, -0.1])
    expected = torch.tensor([0.693147, 0.413262, 0.326928], dtype=torch.float64)
    losses = build_loss("cdpo", beta=0.1, epsilon=0.1)(*pair).losses
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_epsilon_zero_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    smoothed = build_loss("cdpo", beta=beta, epsilon=0)(*pair).losses
    assert torch.equal(smoothed, build_loss("dpo", beta=beta)(*pair).losses)


@given(seed=st.integers(0, 10_000), epsilon=st.floats(0, 1))
def test_is_the_mean_of_dpo_over_flips(make_random_pair, seed, epsilon):
    chosen, rejected = make_random_pair(seed)
    dpo = build_loss("dpo", beta=0.3)
    expected = (1 - epsilon) * dpo(chosen, rejected).losses + epsilon * dpo(rejected, chosen).losses
    losses = build_loss("cdpo", beta=0.3, epsilon=epsilon)(chosen, rejected).losses
    torch.testing.assert_close(losses, expected)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_a_half_is_symmetric(make_random_pair, seed, beta):
    chosen, rejected = make_random_pair(seed)
    loss = build_loss("cdpo", beta=beta, epsilon=0.5)
    torch.testing.assert_close(loss(chosen, rejected).losses, loss(rejected, chosen).losses)


def test_the_best_margin_is_finite(make_side):
    # beta * m = log(.9 / .1): the gradient vanishes there
    policy = torch.tensor([[math.log(9)]], dtype=torch.float64, requires_grad=True)
    rejected = make_side([[0.0]], [[0.0]])
    build_loss("cdpo", beta=1.0, epsilon=0.1)(make_side(policy, [[0.0]]), rejected).losses.sum().backward()
    assert policy.grad.item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("epsilon", [-0.1, 1.01, math.nan, True, "0.1"])
def test_refused_epsilon(epsilon):
    with pytest.raises(ConfigError, match=r"cdpo: epsilon must be a number from 0 to 1, got"):
        build_loss("cdpo", epsilon=epsilon)
