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
def pair(request, make_side):
    policy, reference, rejected_policy, rejected_reference = PAIRS[request.param]
    sides = make_side([policy], [reference]), make_side([rejected_policy], [rejected_reference])
    return [replace(side, token_kl=0.03 * (side.policy_logps - side.reference_logps).square()) for side in sides]


def gradients(loss, pair):
    leaves = [side.policy_logps.clone().requires_grad_() for side in pair]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip(pair, leaves, strict=True)]
    return torch.autograd.grad(loss(*sides).losses.sum(), leaves, allow_unused=True, materialize_grads=True)


def differences(loss, pair, step=1e-5):
    """Central differences of the loss by each log-prob."""
    found = [torch.zeros_like(side.policy_logps) for side in pair]
    for number, side in enumerate(pair):
        for token in range(side.policy_logps.shape[1]):
            values = []
            for sign in (1, -1):
                moved = side.policy_logps.clone()
                moved[0, token] += sign * step
                sides = list(pair)
                sides[number] = replace(side, policy_logps=moved)
                values.append(loss(*sides).losses.item())
            found[number][0, token] = (values[0] - values[1]) / (2 * step)
    return found


@every_loss
def test_gradient_is_that_of_finite_differences(pair, name, params):
    loss = build_loss(name, **params)
    for found, expected in zip(gradients(loss, pair), differences(loss, pair), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@every_loss
def test_single_precision_stays_finite_and_close(pair, name, params):
    loss = build_loss(name, **params)
    single = [
        replace(
            side,
            policy_logps=side.policy_logps.float(),
            reference_logps=side.reference_logps.float(),
            token_kl=side.token_kl.float(),
        )
        for side in pair
    ]
    torch.testing.assert_close(loss(*single).losses.double(), loss(*pair).losses, atol=1e-4, rtol=1e-5)
    for found, expected in zip(gradients(loss, single), gradients(loss, pair), strict=True):
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "params", "side"),
    [(*variant, 0) for variant in VARIANTS]
    + [(*variant, 1) for variant in VARIANTS if variant[0] not in ("gated_sft", "sft_continued")],
    ids=str,
)
def test_a_nan_of_a_completion_is_not_hidden(pair, name, params, side):
    sides, broken = list(pair), pair[side].policy_logps.clone()
    broken[0, -1] = math.nan
    sides[side] = replace(sides[side], policy_logps=broken)
    assert build_loss(name, **params)(*sides).losses.isnan().all()
