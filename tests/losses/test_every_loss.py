"""What every loss promises: masking, gradients, dtypes, and refusals."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss, loss_names

VARIANTS = [
    *[(name, {}) for name in loss_names()],
    (
        "tab_po",
        {
            "aggregate": "mean",
            "label_weight": 1.1,
            "sublabel_weight": 1.2,
            "span_weight": 1.3,
            "difference_weight": 1.2,
            "weighted_barrier": True,
        },
    ),
]
every_loss = pytest.mark.parametrize(("name", "params"), VARIANTS)


def gradients(loss, chosen, rejected):
    leaves = [side.policy_logps.clone().requires_grad_() for side in (chosen, rejected)]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip((chosen, rejected), leaves, strict=True)]
    output = loss(*sides)
    found = torch.autograd.grad(output.losses.sum(), leaves, allow_unused=True, materialize_grads=True)
    return output, found


@every_loss
@given(seed=st.integers(0, 10_000), poison=st.sampled_from([math.nan, math.inf, -math.inf, 1e30, -1e30]))
@settings(max_examples=25, deadline=None)
def test_masked_positions_reach_neither_loss_nor_gradient(make_random_pair, name, params, seed, poison):
    loss = build_loss(name, **params)
    clean = make_random_pair(seed)
    poisoned = [
        replace(
            side,
            policy_logps=side.policy_logps.masked_fill(~side.completion_mask, poison),
            reference_logps=side.reference_logps.masked_fill(~side.completion_mask, poison),
            token_fields=side.token_fields.masked_fill(~side.completion_mask, -77),
            differs=side.differs ^ ~side.completion_mask,
            token_kl=side.token_kl.masked_fill(~side.completion_mask, poison),
        )
        for side in clean
    ]
    (expected, expected_gradients), (found, found_gradients) = gradients(loss, *clean), gradients(loss, *poisoned)
    assert torch.equal(found.losses, expected.losses)
    assert torch.equal(found.chosen_rewards, expected.chosen_rewards)
    assert torch.equal(found.rejected_rewards, expected.rejected_rewards)
    for side, gradient, clean_gradient in zip(clean, found_gradients, expected_gradients, strict=True):
        assert torch.equal(gradient, clean_gradient)
        assert (gradient[~side.completion_mask] == 0).all()
    if found.gate is not None:
        assert not (found.gate & ~clean[0].completion_mask).any()


@every_loss
def test_gradient_is_that_of_finite_differences(make_random_pair, name, params):
    loss = build_loss(name, **params)
    chosen, rejected = make_random_pair(3)

    def total(chosen_logps, rejected_logps):
        return loss(
            replace(chosen, policy_logps=chosen_logps), replace(rejected, policy_logps=rejected_logps)
        ).losses.sum()

    leaves = [side.policy_logps.clone().requires_grad_() for side in (chosen, rejected)]
    assert torch.autograd.gradcheck(total, leaves)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_dtype_and_detaches_rewards(make_random_pair, name, params, dtype):
    chosen, rejected = (
        replace(
            side,
            policy_logps=side.policy_logps.to(dtype).requires_grad_(),
            reference_logps=side.reference_logps.to(dtype),
            token_kl=side.token_kl.to(dtype),
        )
        for side in make_random_pair(4)
    )
    output = build_loss(name, **params)(chosen, rejected)
    assert output.losses.dtype == dtype
    assert output.losses.shape == output.chosen_rewards.shape == output.rejected_rewards.shape == (3,)
    assert output.losses.requires_grad
    assert not output.chosen_rewards.requires_grad and not output.rejected_rewards.requires_grad


@every_loss
def test_pairs_do_not_see_each_other(make_random_pair, name, params):
    loss = build_loss(name, **params)
    pair = make_random_pair(5)
    together = loss(*pair).losses
    for row in range(3):
        alone = [type(s)(**{k: v[row : row + 1] for k, v in vars(s).items() if v is not None}) for s in pair]
        torch.testing.assert_close(loss(*alone).losses[0], together[row], atol=1e-14, rtol=0)


@every_loss
def test_raising_a_chosen_token_lowers_the_loss(make_random_pair, name, params):
    chosen, _ = make_random_pair(6)
    _, (gradient, rejected_gradient) = gradients(build_loss(name, **params), *make_random_pair(6))
    raised = gradient[chosen.completion_mask]
    assert (raised <= 0).all()
    assert (raised < 0).all() or (name == "confpo" and (raised < 0).any())  # ConfPO leaves out confident tokens
    assert (rejected_gradient >= 0).all()


def test_an_unknown_loss_is_refused_with_all_names():
    with pytest.raises(ConfigError, match=r"unknown loss tabpo; there are: .*, dpo, .*tab_po"):
        build_loss("tabpo")


@every_loss
def test_an_unknown_hyperparameter_is_refused(name, params):
    with pytest.raises(ConfigError, match=f"{name}: unknown hyperparameter alhpa; it takes: "):
        build_loss(name, **params, alhpa=0.1)
