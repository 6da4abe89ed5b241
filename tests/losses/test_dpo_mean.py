"""DPO on means: the same loss as DPO at another beta where all completions are equally long."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # M(chosen) = -.35 / 4 = -.0875; M(rejected) = .35 / 5 = .07; log(1 + exp(.1 * .1575))
    output = build_loss("dpo_mean", beta=0.1)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(0.01575)), abs=1e-12)
    assert output.losses.item() == pytest.approx(0.701053188, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.00875, 0.007))


def test_llama_factory_inputs_as_completions_of_four_tokens(make_side):
    # DPO's published 0.616344 and 0.663597 at beta .1 on sums are these at .4 on means
    chosen = make_side([[-0.75] * 4, [-0.625] * 4], [[-0.7] * 4, [-0.575] * 4])
    rejected = make_side([[-1.25] * 4, [-0.875] * 4], [[-0.8] * 4, [-0.675] * 4])
    expected = torch.tensor([0.616344, 0.663597], dtype=torch.float64)
    losses = build_loss("dpo_mean", beta=0.4)(chosen, rejected).losses
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 10), tokens=st.integers(1, 9))
def test_equal_lengths_are_dpo_at_beta_over_length(make_equal_pair, seed, beta, tokens):
    pair = make_equal_pair(seed, tokens)
    means, sums = build_loss("dpo_mean", beta=beta)(*pair), build_loss("dpo", beta=beta / tokens)(*pair)
    torch.testing.assert_close(means.losses, sums.losses)
    torch.testing.assert_close(means.chosen_rewards, sums.chosen_rewards)


@given(seed=st.integers(0, 10_000))
def test_is_tab_po_with_means_and_no_barrier(make_random_pair, seed):
    pair = make_random_pair(seed)
    tab_po = build_loss("tab_po", beta=0.5, lambda_=0, aggregate="mean")(*pair).losses
    torch.testing.assert_close(build_loss("dpo_mean", beta=0.5)(*pair).losses, tab_po)


@pytest.mark.parametrize("beta", [0, -1, math.nan, True, "5"])
def test_refused_beta(beta):
    with pytest.raises(ConfigError, match="dpo_mean: beta must be a number above 0"):
        build_loss("dpo_mean", beta=beta)
