"""BPO: one ratio a pair."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # u = .1 * (.35 + .35) = .07: (e^u + u) / 4, log(1 + e^u), e^(1.5 u) / 6 - e^(-.5 u) / 2
    def value(**params):
        return build_loss("bpo", beta=0.1, **params)(*golden).losses.item()

    assert value() == pytest.approx((math.exp(0.07) + 0.07) / 4, abs=1e-12)
    assert value(generator="logistic") == pytest.approx(math.log(1 + math.exp(0.07)), abs=1e-12)
    assert value(lambda_=0.5) == pytest.approx(math.exp(0.105) / 6 - math.exp(-0.035) / 2, abs=1e-12)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 2))
def test_the_logistic_form_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    losses = build_loss("bpo", beta=beta, generator="logistic")(*pair).losses
    torch.testing.assert_close(losses, build_loss("dpo", beta=beta)(*pair).losses)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 2), lambda_=st.floats(0, 1))
def test_on_single_tokens_it_is_tbpo_without_a_baseline(make_random_pair, map_side, seed, beta, lambda_):
    # the baseline of a single token is centred to 0
    pair = [map_side(lambda _, x: x[:, :1], side) for side in make_random_pair(seed)]
    params = {"beta": beta, "lambda_": lambda_}
    losses = build_loss("bpo", **params)(*pair).losses
    torch.testing.assert_close(losses, build_loss("tbpo_q", **params)(*pair).losses)


@pytest.mark.parametrize("params", [{"beta": 0}, {"lambda_": 1.1}, {"scale": 0}, {"generator": "lsif"}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"bpo: {next(iter(params))} must be "):
        build_loss("bpo", **params)
