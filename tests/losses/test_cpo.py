"""CPO with the likelihood term in both conventions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # sums -2.1 and -1.9: log(1 + exp(.1 * .2)) plus 2.1, or 2.1 / 4
    output = build_loss("cpo", beta=0.1, nll="sum")(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(0.02)) + 2.1, abs=1e-12)
    assert output.losses.item() == pytest.approx(2.803197180, abs=1e-9)
    assert build_loss("cpo", beta=0.1, nll="mean")(*golden).losses.item() == pytest.approx(1.228197180, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.21, -0.19))


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 2), nll=st.sampled_from(["sum", "mean"]))
def test_is_dpo_with_a_uniform_reference_plus_likelihood(make_random_pair, make_side, seed, beta, nll):
    # any reference that is the same on both sides; here log-probs of 0
    flat = [
        make_side(side.policy_logps, torch.zeros_like(side.policy_logps), mask=side.completion_mask)
        for side in make_random_pair(seed)
    ]
    likelihood = build_loss("sft_continued")(*flat).losses
    if nll == "sum":
        likelihood = likelihood * flat[0].completion_mask.sum(-1)
    expected = build_loss("dpo", beta=beta)(*flat).losses + likelihood
    torch.testing.assert_close(build_loss("cpo", beta=beta, nll=nll)(*flat).losses, expected)


def test_reads_no_reference(golden, make_side):
    blind = [make_side(side.policy_logps, torch.full_like(side.policy_logps, math.nan)) for side in golden]
    assert torch.equal(build_loss("cpo")(*blind).losses, build_loss("cpo")(*golden).losses)


@pytest.mark.parametrize(
    ("params", "accepted"),
    [
        ({"beta": 0}, "a number above 0"),
        ({"beta": True}, "a number above 0"),
        ({"nll": "batch"}, "one of sum, mean"),
        ({"nll": None}, "one of sum, mean"),
    ],
)
def test_refused(params, accepted):
    with pytest.raises(ConfigError, match=f"cpo: {next(iter(params))} must be {accepted}, got"):
        build_loss("cpo", **params)
