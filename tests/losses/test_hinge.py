"""The hinge on DPO's margin."""

import math

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # 1 + .1 * .7
    assert build_loss("hinge", beta=0.1)(*golden).losses.item() == pytest.approx(1.07, abs=1e-12)


def test_torchtune_values(make_sequence_pair):
    # tests/torchtune/rlhf/loss/test_dpo_loss.py of torchtune: margins 0, 10, 20
    pair = make_sequence_pair([-0.5, -10, -1], [-0.1, -30, -21], [-0.5, -10.1, -0.1], [-0.1, -20.1, -0.1])
    expected = torch.tensor([1, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(build_loss("hinge", beta=0.1)(*pair).losses, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("margin", "slope"), [(-50.0, -0.1), (9.99, -0.1), (10.01, 0.0), (50.0, 0.0)])
def test_gradient_ends_at_a_margin_of_one(make_side, margin, slope):
    policy = torch.tensor([[margin]], dtype=torch.float64, requires_grad=True)
    losses = build_loss("hinge", beta=0.1)(make_side(policy, [[0.0]]), make_side([[0.0]], [[0.0]])).losses
    losses.sum().backward()
    assert policy.grad.item() == slope
    assert losses.item() == pytest.approx(max(0, 1 - 0.1 * margin))


@pytest.mark.parametrize("beta", [0, -0.1, math.nan, True, "0.1"])
def test_refused_beta(beta):
    with pytest.raises(ConfigError, match="hinge: beta must be a number above 0"):
        build_loss("hinge", beta=beta)
