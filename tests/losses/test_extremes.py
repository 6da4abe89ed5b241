"""Every loss at log-ratios of 50 nats, on one token, on edits of all kinds, and with a NaN that must not be hidden."""

import math
from dataclasses import replace

import pytest
import torch

from tabpo.losses import build_loss, loss_names

VARIANTS = [(name, {}) for name in loss_names()] + [
    ("cpo", {"nll": "mean"}),
    ("dpop", {"beta": 0.5, "lambda_": 1.0}),
    ("tab_po", {"aggregate": "mean", "difference_weight": 1.2, "weighted_barrier": True}),
    ("tab_po", {"tau": "mean", "gate_fields": "schema", "gate_temperature": 0.5}),
    ("tbpo_a", {"generator": "logistic"}),
    ("tbpo_q", {"lambda_": 0.5, "epsilon": 0.1}),
]
every_loss = pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)

# Policy and reference of the chosen side, then of the rejected one.
PAIRS = {
    "one token": ([-0.7], [-0.9], [-1.3], [-0.4]),
    "one token, 50 nats up": ([-0.05], [-50.05], [-0.08], [-50.0]),
    "one token, 50 nats apart": ([-0.05], [-50.05], [-50.2], [-0.2]),
    "one token, 50 nats the wrong way": ([-50.2], [-0.2], [-0.05], [-50.05]),
    "one-token edit": ([-0.3, -2.0, -0.2], [-0.2, -1.0, -0.1], [-0.3, -0.5, -0.4], [-0.2, -0.9, -0.6]),
    "50 nats in an edit": ([-0.3, -50.0, -0.2], [-0.3, -0.06, -0.2], [-0.3, -0.06, -0.4], [-0.3, -50.0, -0.2]),
    "insertion": ([-0.3, -0.2], [-0.4, -0.3], [-0.3, -1.0, -3.0, -0.2], [-0.4, -2.0, -1.5, -0.3]),
    "identical but for the end": ([-0.3, -2.0, -1.1], [-0.2, -1.0, -0.3], [-0.3, -2.0, -0.9], [-0.2, -1.0, -0.7]),
}


@pytest.fixture(params=PAIRS)
def pair(request, make_side, with_needs):
    policy, reference, rejected_policy, rejected_reference = PAIRS[request.param]
    sides = make_side([policy], [reference]), make_side([rejected_policy], [rejected_reference])
    sides = with_needs(*sides, torch.Generator().manual_seed(1))
    first = next(place for place, logps in enumerate(zip(policy, rejected_policy, strict=False)) if len(set(logps)) > 1)
    differs = [(torch.arange(side.policy_logps.shape[1]) == first)[None] for side in sides]
    kls = [0.03 * (side.policy_logps - side.reference_logps).square() for side in sides]
    return [
        replace(side, token_kl=kl, differs=differing) for side, kl, differing in zip(sides, kls, differs, strict=True)
    ]


def differences(loss, leaves, step=1e-5):
    """Central differences of the loss by each entry."""
    actual = []
    for number, leaf in enumerate(leaves):
        slopes = torch.zeros_like(leaf)
        for place in range(leaf.numel()):
            values = []
            for sign in (1, -1):
                moved = [other.detach().clone() for other in leaves]
                moved[number].view(-1)[place] += sign * step
                values.append(loss(moved))
            slopes.view(-1)[place] = (values[0] - values[1]) / (2 * step)
        actual.append(slopes)
    return actual


@every_loss
def test_gradient_is_that_of_finite_differences(
    pair, gradients_of, leaves_of, with_leaves, hold_constants, name, params
):
    loss = build_loss(name, **params)
    held = hold_constants(loss, pair)
    expected = differences(lambda moved: held(*with_leaves(loss, pair, moved)).losses.item(), leaves_of(loss, pair))
    for actual, slopes in zip(gradients_of(loss, pair)[1], expected, strict=True):
        torch.testing.assert_close(actual, slopes.detach(), atol=1e-6, rtol=1e-6)


@every_loss
def test_single_precision_stays_finite_and_close(pair, map_side, gradients_of, name, params):
    loss = build_loss(name, **params)
    single = [map_side(lambda _, x: x.float() if x.is_floating_point() else x, side) for side in pair]
    (actual, slopes), (expected, exact_slopes) = gradients_of(loss, single), gradients_of(loss, pair)
    torch.testing.assert_close(actual.losses.double(), expected.losses, atol=1e-4, rtol=1e-5)
    for slope, exact in zip(slopes, exact_slopes, strict=True):
        torch.testing.assert_close(slope.double(), exact, atol=1e-4, rtol=1e-4)


@every_loss
@pytest.mark.parametrize("side", [0, 1])
def test_a_nan_of_a_completion_is_not_hidden(pair, name, params, side):
    loss = build_loss(name, **params)
    sides, logps = list(pair), pair[side].policy_logps.clone().requires_grad_()
    sides[side] = replace(sides[side], policy_logps=logps)
    if loss(*sides).losses.requires_grad:  # a control does not read the rejected side
        broken = logps.detach().clone()
        broken[pair[side].differs] = math.nan
        sides[side] = replace(sides[side], policy_logps=broken)
        assert loss(*sides).losses.isnan().all()
    else:
        assert side == 1
