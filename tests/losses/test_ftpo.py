"""FTPO: the first differing token, its margin and its taper."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def pair_with(make_side, delta, *, first=1, tokens=3):
    """A pair whose token log-probs are `delta` apart at the first difference."""
    differs = [[place >= first for place in range(tokens)]]
    chosen, rejected = torch.full((1, tokens), -5.0).double(), torch.full((1, tokens), -5.0).double()
    chosen[0, first] += delta
    reference = torch.zeros(1, tokens)
    return make_side(chosen, reference, differs=differs), make_side(rejected, reference, differs=differs)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (-0.6, math.log(1 + math.exp(2.6))),  # behind: the whole loss
        (0.5, 0.75 * math.log(1 + math.exp(1.5))),  # ahead by a quarter of the margin
        (1.5, 0.25 * math.log(1 + math.exp(0.5))),
        (2.0, 0.0),
        (7.0, 0.0),
    ],
)
def test_hand_worked_margins(make_side, delta, expected):
    output = build_loss("ftpo", epsilon=2.0, tau=1.0)(*pair_with(make_side, delta))
    assert output.losses.item() == pytest.approx(expected, abs=1e-12)
    assert (output.chosen_rewards - output.rejected_rewards).item() == pytest.approx(delta)


def test_no_other_token_is_read(golden, gradients_of):
    third = [replace(side, differs=(torch.arange(side.policy_logps.shape[1]) >= 2)[None]) for side in golden]
    output, (chosen, rejected) = gradients_of(build_loss("ftpo"), third)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(2.6)), abs=1e-12)
    slope = 1 / (1 + math.exp(-2.6))
    torch.testing.assert_close(chosen, torch.tensor([[0, 0, -slope, 0]], dtype=torch.float64))
    torch.testing.assert_close(rejected, torch.tensor([[0, 0, slope, 0, 0]], dtype=torch.float64))


def test_the_first_difference_of_either_side_counts(make_side):
    # a deletion: the rejected token at that index is one that the chosen side has later
    chosen, rejected = pair_with(make_side, -0.6)
    deleted = replace(rejected, differs=torch.zeros_like(rejected.differs))
    assert torch.equal(build_loss("ftpo")(chosen, deleted).losses, build_loss("ftpo")(chosen, rejected).losses)


@given(delta=st.floats(-5, 0), epsilon=st.floats(0.1, 5), tau=st.floats(0.1, 5))
def test_behind_it_is_simpo_on_that_token(make_side, delta, epsilon, tau):
    # softplus((epsilon - delta) / tau) = -log sigmoid(delta / tau - epsilon / tau)
    pair = pair_with(make_side, delta, first=0, tokens=1)
    simpo = build_loss("simpo", beta=1 / tau, gamma=epsilon / tau)(*pair).losses
    torch.testing.assert_close(build_loss("ftpo", epsilon=epsilon, tau=tau)(*pair).losses, simpo)


def test_reads_no_reference(golden):
    blind = [replace(side, reference_logps=torch.full_like(side.reference_logps, math.nan)) for side in golden]
    assert torch.equal(build_loss("ftpo")(*blind).losses, build_loss("ftpo")(*golden).losses)


@pytest.mark.parametrize("params", [{"epsilon": 0}, {"epsilon": True}, {"tau": 0}, {"tau": "1"}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"ftpo: {next(iter(params))} must be a number above 0"):
        build_loss("ftpo", **params)
