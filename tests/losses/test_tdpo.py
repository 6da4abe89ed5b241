"""TDPO1 and TDPO2 on numbers worked by hand and published; where the gradient of the KL goes and where not."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss

both = pytest.mark.parametrize("name", ["tdpo1", "tdpo2"])


@pytest.fixture
def golden_with_kl(golden):
    kls = [0.01, 0.02, 0.10, 0.03], [0.01, 0.02, 0.08, 0.02, 0.04]
    return [
        replace(side, token_kl=torch.tensor([kl], dtype=torch.float64)) for side, kl in zip(golden, kls, strict=True)
    ]


def test_hand_worked_pair(golden_with_kl):
    # u = -.7; K(chosen) = .16, K(rejected) = .17, d = .01; log(1 + exp(.1 * .71)) and log(1 + exp(.1 * .705))
    tdpo1 = build_loss("tdpo1", beta=0.1)(*golden_with_kl)
    tdpo2 = build_loss("tdpo2", beta=0.1, alpha=0.5)(*golden_with_kl)
    assert tdpo1.losses.item() == pytest.approx(math.log(1 + math.exp(0.071)), abs=1e-12)
    assert tdpo1.losses.item() == pytest.approx(0.729277173, abs=1e-9)
    assert tdpo2.losses.item() == pytest.approx(math.log(1 + math.exp(0.0705)), abs=1e-12)
    assert tdpo2.losses.item() == pytest.approx(0.729018333, abs=1e-9)
    assert (tdpo2.chosen_rewards.item(), tdpo2.rejected_rewards.item()) == pytest.approx((-0.035, 0.035))


@pytest.fixture
def pair_and_kls(make_side):
    """Log-ratios 1 and -.5, KLs .3 and .7; the KLs are leaves."""
    kls = [torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in (0.3, 0.7)]
    sides = make_side([[-1.0]], [[-2.0]]), make_side([[-1.5]], [[-1.0]])
    return [replace(side, token_kl=kl) for side, kl in zip(sides, kls, strict=True)], kls


def test_values_from_published_margins(pair_and_kls):
    # 1.5 - .4 = 1.1 and 1.5 - .5 * .4 = 1.3
    pair, _ = pair_and_kls
    assert build_loss("tdpo1", beta=0.1)(*pair).losses.item() == pytest.approx(0.639659, abs=1e-6)
    assert build_loss("tdpo2", beta=0.1, alpha=0.5)(*pair).losses.item() == pytest.approx(0.630258, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "factors"), [("tdpo1", {}, (-1.0, 1.0)), ("tdpo2", {"alpha": 0.5}, (0.0, 0.5))]
)
def test_gradient_to_the_kls(pair_and_kls, name, params, factors):
    # dloss/dmargin = -beta sigmoid(-beta * margin); in TDPO2 the chosen side's KL is a constant
    pair, kls = pair_and_kls
    losses = build_loss(name, beta=0.1, **params)(*pair).losses
    actual = torch.autograd.grad(losses.sum(), kls, allow_unused=True, materialize_grads=True)
    slope = 0.1 * (1 - math.exp(-losses.item()))
    assert [gradient.item() for gradient in actual] == pytest.approx([slope * factor for factor in factors])


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_alpha_zero_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    tdpo2 = build_loss("tdpo2", beta=beta, alpha=0)(*pair)
    torch.testing.assert_close(tdpo2.losses, build_loss("dpo", beta=beta)(*pair).losses, atol=1e-13, rtol=1e-13)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_alpha_one_has_the_value_of_tdpo1(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    tdpo2 = build_loss("tdpo2", beta=beta, alpha=1)(*pair).losses
    torch.testing.assert_close(tdpo2, build_loss("tdpo1", beta=beta)(*pair).losses)


@both
@given(seed=st.integers(0, 10_000), poison=st.sampled_from([math.nan, math.inf, 1e30]))
def test_masked_kls_get_no_gradient(make_random_pair, name, seed, poison):
    pair = [replace(s, token_kl=s.token_kl.masked_fill(~s.completion_mask, poison)) for s in make_random_pair(seed)]
    kls = [side.token_kl.requires_grad_() for side in pair]
    losses = build_loss(name)(*pair).losses
    actual = torch.autograd.grad(losses.sum(), kls, allow_unused=True, materialize_grads=True)
    assert losses.isfinite().all()
    for side, gradient in zip(pair, actual, strict=True):
        assert gradient.isfinite().all() and (gradient[~side.completion_mask] == 0).all()


@both
@pytest.mark.parametrize("side", [0, 1])
def test_a_nan_kl_of_a_completion_is_not_hidden(golden_with_kl, name, side):
    sides = list(golden_with_kl)
    sides[side] = replace(sides[side], token_kl=torch.full_like(sides[side].token_kl, math.nan))
    assert build_loss(name)(*sides).losses.isnan().all()


@both
def test_needs_the_kl(name):
    assert build_loss(name).needs == {"token_kl"}


@pytest.mark.parametrize(
    ("name", "params"), [("tdpo1", {"beta": 0}), ("tdpo2", {"beta": True}), ("tdpo2", {"alpha": -0.1})]
)
def test_refused(name, params):
    with pytest.raises(ConfigError, match=f"{name}: {next(iter(params))} must be a number"):
        build_loss(name, **params)


def test_tdpo1_takes_no_alpha():
    with pytest.raises(ConfigError, match="tdpo1: unknown hyperparameter alpha; it takes: beta"):
        build_loss("tdpo1", alpha=0.5)
