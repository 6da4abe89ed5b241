"""Losses that read the log-probs of other runs: numbers by hand, selection and ranks, identities, refused values."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def tensor(*values):
    return torch.tensor([values], dtype=torch.float64)


@pytest.fixture
def guided(golden):
    """The golden pair with the log-probs of DPO and of DPO on swapped pairs.

    r: 0, .05, -.5, .1 on the chosen side and 0, .05, .3, .1, -.1 on the rejected one. DPO less reference, q: 0, .05,
    .5, 0 on the chosen side and 0, -.05, -.4, 0, 0 on the rejected one.
    """
    chosen = replace(
        golden[0], dpo_logps=tensor(-0.1, -0.2, -0.5, -0.4), reverse_dpo_logps=tensor(-0.1, -0.3, -1.6, -0.4)
    )
    rejected = replace(
        golden[1],
        dpo_logps=tensor(-0.1, -0.3, -1.6, -0.3, -0.4),
        reverse_dpo_logps=tensor(-0.1, -0.2, -0.7, -0.3, -0.6),
    )
    return chosen, rejected


def softplus(value):
    return pytest.approx(math.log1p(math.exp(value)), abs=1e-12)


def test_tis_dpo_by_hand(guided):
    # chosen, DPO less reversed: 0, .1, 1.1 without the last token: weights .7, 1, 1.3; V = .05 - .65 = -.6
    # rejected, reversed less DPO: 0, .1, .9, 0: ranks .5, 2, 3, .5: weights .8, 1.1, 1.3, .8; V = .055 + .39 + .08
    output = build_loss("tis_dpo", beta=0.1)(*guided)
    assert output.losses.item() == softplus(0.1 * (0.525 + 0.6))
    assert output.chosen_rewards.item() == pytest.approx(-0.06) and output.rejected_rewards.item() == pytest.approx(
        0.0525
    )


def test_sepo_by_hand(guided):
    # one token of four and of five: the third of each; then two: the second and third
    assert build_loss("sepo", k=0.3)(*guided).losses.item() == softplus(1.5 - 0.9)
    assert build_loss("sepo", k=0.5)(*guided).losses.item() == softplus(0.85 - 0.55)
    assert build_loss("sepo", k=0.5, gamma=2)(*guided).losses.item() == softplus(0.6)


def test_tgdpo_by_hand(guided):
    # sum q r: .0025 - .25 = -.2475 and -.0025 - .12 = -.1225; sums of f r: -.35 - .05 * .2475 and .35 + .05 * .1225
    output = build_loss("tgdpo", beta=0.1, alpha=0.5)(*guided)
    assert output.losses.item() == softplus(0.1 * (0.362375 + 0.356125))
    assert output.chosen_rewards.item() == pytest.approx(-0.035)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_equal_weights_give_back_the_plain_losses(make_random_pair, seed):
    pair = make_random_pair(seed)
    torch.testing.assert_close(
        build_loss("tgdpo", beta=0.3, alpha=0.0)(*pair).losses, build_loss("dpo", beta=0.3)(*pair).losses
    )
    torch.testing.assert_close(
        build_loss("sepo", k=1.0, gamma=2.0)(*pair).losses, build_loss("simpo", beta=2.0, gamma=0.0)(*pair).losses
    )
    shorter = [replace(side, completion_mask=side.completion_mask & side.completion_mask.roll(-1, -1)) for side in pair]
    for side in shorter:
        side.completion_mask[:, -1] = False
    torch.testing.assert_close(
        build_loss("tis_dpo", beta=0.3, low=1.0, high=1.0)(*pair).losses, build_loss("dpo", beta=0.3)(*shorter).losses
    )


@given(seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_cdpo_at_epsilon_1_is_dpo_on_swapped_pairs(make_random_pair, seed):
    chosen, rejected = make_random_pair(seed)
    swapped = build_loss("dpo", beta=0.2)(rejected, chosen)
    torch.testing.assert_close(build_loss("cdpo", beta=0.2, epsilon=1.0)(chosen, rejected).losses, swapped.losses)


@given(seed=st.integers(0, 10_000), k=st.sampled_from([0.1, 0.3, 0.5, 0.9]))
@settings(deadline=None)
def test_sepo_selects_as_a_loop_over_the_tokens_does(make_random_pair, seed, k):
    chosen, rejected = make_random_pair(seed, tokens=12)
    output = build_loss("sepo", k=k)(chosen, rejected)
    for row in range(len(output.losses)):
        for side, sign, reward in ((chosen, -1, output.chosen_rewards), (rejected, 1, output.rejected_rewards)):
            length = int(side.completion_mask[row].sum())
            scores = (side.dpo_logps - side.reference_logps)[row, :length].tolist()
            order = sorted(range(length), key=lambda place: (sign * scores[place], place))
            selected = order[: max(1, math.floor(k * length + 1e-9))]
            expected = sum(side.policy_logps[row, place].item() for place in selected) / len(selected)
            assert reward[row].item() == pytest.approx(expected)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_tis_dpo_ranks_as_sorting_does(make_random_pair, seed):
    chosen, rejected = make_random_pair(seed, tokens=12)
    output = build_loss("tis_dpo", beta=1.0, low=0.5, high=1.5)(chosen, rejected)
    for row in range(len(output.losses)):
        for side, sign, reward in ((chosen, 1, output.chosen_rewards), (rejected, -1, output.rejected_rewards)):
            inner = int(side.completion_mask[row].sum()) - 1
            scores = (sign * (side.dpo_logps - side.reverse_dpo_logps))[row, :inner].tolist()
            order = sorted(range(inner), key=lambda place: scores[place])
            total = sum(
                (1.0 if inner == 1 else 0.5 + order.index(place) / (inner - 1)) * side.log_ratios[row, place].item()
                for place in range(inner)
            )
            assert reward[row].item() == pytest.approx(total)


def test_guides_carry_no_gradient_and_the_end_of_turn_token_no_weight(guided):
    leaves = [side.policy_logps.clone().requires_grad_() for side in guided]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip(guided, leaves, strict=True)]
    build_loss("tis_dpo", beta=0.1)(*sides).losses.sum().backward()
    assert [leaf.grad[0, -1].item() for leaf in leaves] == [0, 0]
    assert (leaves[0].grad[0, :-1] < 0).all() and (leaves[1].grad[0, :-1] > 0).all()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("tis_dpo", {"low": -0.1}, "tis_dpo: low must be a number from 0, got -0.1"),
        ("tis_dpo", {"beta": 0}, "tis_dpo: beta must be a number above 0, got 0"),
        ("sepo", {"k": 1.1}, "sepo: k must be a number above 0, up to 1, got 1.1"),
        ("tgdpo", {"alpha": -1}, "tgdpo: alpha must be a number from 0, got -1"),
    ],
)
def test_refused_values(name, params, message):
    with pytest.raises(ConfigError, match=message):
        build_loss(name, **params)
