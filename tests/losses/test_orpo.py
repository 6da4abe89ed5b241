"""ORPO, and its odds where the probability is close to 1."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # means -.525 and -.38; log odds -.525 - log(1 - exp(-.525)) and -.38 - log(1 - exp(-.38))
    output = build_loss("orpo", lambda_=0.1)(*golden)
    odds = [mean - math.log(1 - math.exp(mean)) for mean in (-0.525, -0.38)]
    assert output.losses.item() == pytest.approx(0.616371928, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx(odds)


@given(seed=st.integers(0, 10_000))
def test_lambda_zero_is_continued_sft(make_random_pair, seed):
    pair = make_random_pair(seed)
    assert torch.equal(build_loss("orpo", lambda_=0)(*pair).losses, build_loss("sft_continued")(*pair).losses)


def test_reads_no_reference(golden, make_side):
    blind = [make_side(side.policy_logps, torch.full_like(side.policy_logps, math.nan)) for side in golden]
    assert torch.equal(build_loss("orpo")(*blind).losses, build_loss("orpo")(*golden).losses)


def test_odds_of_near_certainty(make_side):
    # log odds of exp(-1e-12): log(1 / 1e-12) up to 1e-12, where log(1 - exp(-1e-12)) is off by 9e-5
    near, even = make_side([[-1e-12]], [[0.0]]), make_side([[-math.log(2)]], [[0.0]])
    output = build_loss("orpo")(near, even)
    assert output.chosen_rewards.item() == pytest.approx(12 * math.log(10), abs=1e-10)
    assert output.rejected_rewards.item() == pytest.approx(0, abs=1e-15)


def test_odds_of_the_improbable(make_side):
    far = make_side([[-700.0]], [[0.0]])
    assert build_loss("orpo")(far, far).chosen_rewards.item() == -700


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("certain", [0.0, -0.0, 1e-8])
def test_certainty_has_finite_odds_and_no_gradient_from_them(make_side, dtype, certain):
    # 1e-8: what rounding may make of a log-prob
    leaves = [torch.full((1, 2), certain, dtype=dtype, requires_grad=True) for _ in range(2)]
    sides = [make_side(leaf, torch.zeros(1, 2), dtype=dtype) for leaf in leaves]
    losses = build_loss("orpo", lambda_=0.1)(*sides).losses
    losses.sum().backward()
    assert losses.item() == pytest.approx(0.1 * math.log(2), abs=1e-6)
    assert leaves[0].grad.tolist() == [[-0.5, -0.5]] and leaves[1].grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("lambda_", [-0.1, math.nan, True, "0.1"])
def test_refused_lambda(lambda_):
    with pytest.raises(ConfigError, match="orpo: lambda_ must be a number from 0"):
        build_loss("orpo", lambda_=lambda_)
