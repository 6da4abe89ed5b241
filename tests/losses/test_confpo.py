"""ConfPO: which tokens count, and pairs in which none does."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # mean probabilities .672 and .709: tokens 3, and 3 and 5; 1.5 * (-1.5 + .7) - 1.6 = -2.8
    output = build_loss("confpo", beta=1.5, gamma=1.6)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(2.8)), abs=1e-12)
    assert output.losses.item() == pytest.approx(2.859032826, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-2.25, -1.05))


def test_gradient_reaches_selected_tokens_alone(golden):
    leaves = [side.policy_logps.clone().requires_grad_() for side in golden]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip(golden, leaves, strict=True)]
    build_loss("confpo", beta=1.5, gamma=1.6)(*sides).losses.sum().backward()
    slope = 1.5 / (1 + math.exp(-2.8))
    expected = [[[0, 0, -slope, 0]], [[0, 0, slope / 2, 0, slope / 2]]]
    for leaf, values in zip(leaves, expected, strict=True):
        torch.testing.assert_close(leaf.grad, torch.tensor(values, dtype=torch.float64))


@given(seed=st.integers(0, 10_000), beta=st.floats(0.1, 5), gamma=st.floats(0, 3))
def test_is_simpo_on_the_selected_tokens(make_random_pair, seed, beta, gamma):
    pair, kept = make_random_pair(seed, tokens=8), []
    for side in pair:
        probabilities = side.policy_logps.exp()
        means = [row[mask].mean() for row, mask in zip(probabilities, side.completion_mask, strict=True)]
        below = (probabilities < torch.stack(means)[:, None]) & side.completion_mask
        kept.append(replace(side, completion_mask=below))
    counts = kept[0].completion_mask.any(-1) & kept[1].completion_mask.any(-1)
    expected = build_loss("simpo", beta=beta, gamma=gamma)(*kept).losses.where(counts, 0.0)
    torch.testing.assert_close(build_loss("confpo", beta=beta, gamma=gamma)(*pair).losses, expected)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
@pytest.mark.parametrize("level", [-0.1, -0.3, -1 / 3, -700.0])
def test_equal_tokens_are_never_selected(make_side, length, level):
    even, other = make_side([[level] * length], [[0.0] * length]), make_side([[-0.1, -2.0]], [[0.0, 0.0]])
    for sides in ((even, other), (other, even)):
        leaves = [side.policy_logps.clone().requires_grad_() for side in sides]
        pair = [replace(side, policy_logps=leaf) for side, leaf in zip(sides, leaves, strict=True)]
        losses = build_loss("confpo")(*pair).losses
        losses.sum().backward()
        assert losses.item() == 0
        assert all((leaf.grad == 0).all() for leaf in leaves)


def test_reads_no_reference(golden, make_side):
    blind = [make_side(side.policy_logps, torch.full_like(side.policy_logps, math.nan)) for side in golden]
    assert torch.equal(build_loss("confpo")(*blind).losses, build_loss("confpo")(*golden).losses)


@pytest.mark.parametrize("params", [{"beta": 0}, {"beta": True}, {"gamma": -0.1}, {"gamma": math.nan}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"confpo: {next(iter(params))} must be a number"):
        build_loss("confpo", **params)
