"""The barrier alone: TAB-PO less its preference term."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # under .66: the third token alone; under .8: the third and, with .741, the fourth
    assert build_loss("gated_sft", tau=0.66)(*golden).losses.item() == pytest.approx(1.5)
    output = build_loss("gated_sft", tau=0.8)(*golden)
    assert output.losses.item() == pytest.approx((1.5 + 0.3) / 2)
    assert output.gate.tolist() == [[False, False, True, True]]
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.35, 0.35))


@given(seed=st.integers(0, 10_000), tau=st.floats(0.01, 1))
def test_is_tab_po_less_its_preference_term(make_random_pair, seed, tau):
    pair = make_random_pair(seed)
    barrier = build_loss("gated_sft", tau=tau)(*pair)
    tab_po = build_loss("tab_po", beta=0.3, tau=tau, lambda_=1)(*pair)
    torch.testing.assert_close(barrier.losses, tab_po.losses - build_loss("dpo", beta=0.3)(*pair).losses)
    assert torch.equal(barrier.gate, tab_po.gate)


@given(seed=st.integers(0, 10_000))
def test_at_tau_one_is_continued_sft(make_random_pair, seed):
    pair = make_random_pair(seed)
    torch.testing.assert_close(build_loss("gated_sft", tau=1)(*pair).losses, build_loss("sft_continued")(*pair).losses)


def test_certain_tokens_are_gated_at_tau_one_alone(make_side):
    chosen = make_side([[0.0, -3.0, 0.0]], [[0.0, 0.0, 0.0]])
    assert build_loss("gated_sft", tau=1)(chosen, chosen).losses.item() == pytest.approx(1.0)
    assert build_loss("gated_sft", tau=0.999)(chosen, chosen).losses.item() == pytest.approx(3.0)


def test_needs_no_rejected_side(golden):
    chosen, rejected = golden
    without = replace(rejected, policy_logps=torch.full_like(rejected.policy_logps, math.nan))
    assert torch.equal(build_loss("gated_sft")(chosen, without).losses, build_loss("gated_sft")(*golden).losses)


def test_nothing_under_tau_is_no_loss_and_no_gradient(make_side):
    policy = torch.tensor([[-0.01, -0.02]], dtype=torch.float64, requires_grad=True)
    chosen = make_side(policy, [[0.0, 0.0]])
    losses = build_loss("gated_sft", tau=0.9)(chosen, chosen).losses
    losses.sum().backward()
    assert losses.item() == 0 and (policy.grad == 0).all()


@pytest.mark.parametrize("tau", [0, -0.5, 1.01, True, "0.9", math.nan])
def test_refused_tau(tau):
    with pytest.raises(ConfigError, match="gated_sft: tau must be a number above 0, up to 1"):
        build_loss("gated_sft", tau=tau)
