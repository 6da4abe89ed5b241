"""DPO-Shift: the rejected side counts by a share."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # .1 * (-.35 - .7 * .35) = -.0595
    output = build_loss("dpo_shift", beta=0.1, f=0.7)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(0.0595)), abs=1e-12)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.035, 0.035))


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_at_one_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    assert torch.equal(
        build_loss("dpo_shift", beta=beta, f=1)(*pair).losses, build_loss("dpo", beta=beta)(*pair).losses
    )


def test_the_rejected_gradient_is_a_share_of_the_chosen_one(golden, gradients_of):
    _, (chosen, rejected) = gradients_of(build_loss("dpo_shift", beta=0.1, f=0.6), golden)
    torch.testing.assert_close(rejected[0, 0] / chosen[0, 0], torch.tensor(-0.6, dtype=torch.float64))


@pytest.mark.parametrize("f", [0.49, 1.01, True, "0.7", math.nan])
def test_refused_f(f):
    with pytest.raises(ConfigError, match=r"dpo_shift: f must be a number from 0.5 to 1, got"):
        build_loss("dpo_shift", f=f)
