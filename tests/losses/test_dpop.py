"""DPOP: the penalty, and the side of its kink that training starts on."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


@pytest.mark.parametrize(("beta", "lambda_", "value"), [(0.1, 50, 1.970164819), (0.5, 1, 0.989711755)])
def test_hand_worked_pair(golden, beta, lambda_, value):
    # S(chosen) = -.35: log(1 + exp(beta * (.7 + lambda * .35)))
    losses = build_loss("dpop", beta=beta, lambda_=lambda_)(*golden).losses
    assert losses.item() == pytest.approx(math.log(1 + math.exp(beta * (0.7 + lambda_ * 0.35))), abs=1e-12)
    assert losses.item() == pytest.approx(value, abs=1e-9)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_lambda_zero_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    penalised = build_loss("dpop", beta=beta, lambda_=0)(*pair).losses
    assert torch.equal(penalised, build_loss("dpo", beta=beta)(*pair).losses)


@given(seed=st.integers(0, 10_000), lambda_=st.floats(0, 100))
def test_is_dpo_while_the_chosen_side_gains(make_random_pair, seed, lambda_):
    pair = make_random_pair(seed)
    penalised, dpo = build_loss("dpop", beta=0.1, lambda_=lambda_)(*pair), build_loss("dpo", beta=0.1)(*pair)
    gained = dpo.chosen_rewards >= 0
    assert torch.equal(penalised.losses[gained], dpo.losses[gained])
    assert (penalised.losses >= dpo.losses).all()


@pytest.mark.parametrize(("moved", "factor"), [(-1e-9, 1 + 50), (0.0, 1 + 50), (1e-9, 1)])
def test_the_kink_has_the_derivative_from_below(make_side, moved, factor):
    # policy = reference: DPO's gradient is -beta / 2 on chosen and beta / 2 on rejected tokens
    leaves = [torch.tensor([[-0.3 + moved, -1.2]], dtype=torch.float64), torch.tensor([[-0.5]], dtype=torch.float64)]
    for leaf in leaves:
        leaf.requires_grad_()
    sides = [make_side(leaf, reference) for leaf, reference in zip(leaves, ([[-0.3, -1.2]], [[-0.5]]), strict=True)]
    losses = build_loss("dpop", beta=0.3, lambda_=50)(*sides).losses
    losses.sum().backward()
    assert losses.item() == pytest.approx(math.log(2), abs=1e-7)
    assert leaves[0].grad.tolist() == [pytest.approx([-0.15 * factor] * 2, rel=1e-6)]
    assert leaves[1].grad.tolist() == [pytest.approx([0.15], rel=1e-6)]


@pytest.mark.parametrize("params", [{"beta": 0.0}, {"beta": "0.3"}, {"lambda_": -1}, {"lambda_": True}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"dpop: {next(iter(params))} must be a number"):
        build_loss("dpop", **params)
