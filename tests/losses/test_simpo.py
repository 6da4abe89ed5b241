"""SimPO on numbers worked by hand; what gamma is."""

import math

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # means -2.1 / 4 = -.525 and -1.9 / 5 = -.38; 2 * -.145 - 1 = -1.29; log(1 + exp(1.29))
    output = build_loss("simpo", beta=2.0, gamma=1.0)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(1.29)), abs=1e-12)
    assert output.losses.item() == pytest.approx(1.533158535, abs=1e-9)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-1.05, -0.76))


def test_gamma_is_in_units_of_reward(make_sequence_pair):
    # the authors' gamma_beta_ratio 0.55 at beta 2.5 is gamma 1.375
    pair = make_sequence_pair([-0.5, -1.0], [-0.8, -0.9], [0.0, 0.0], [0.0, 0.0])
    expected = torch.tensor([1.053701, 1.804745], dtype=torch.float64)
    losses = build_loss("simpo", beta=2.5, gamma=2.5 * 0.55)(*pair).losses
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=0)


def test_the_authors_name_is_refused_with_what_is_accepted():
    with pytest.raises(ConfigError, match="unknown hyperparameter gamma_beta_ratio; it takes: beta, gamma"):
        build_loss("simpo", gamma_beta_ratio=0.5)


def test_reads_no_reference(golden, make_side):
    chosen, rejected = golden
    blind = [make_side(side.policy_logps, torch.full_like(side.policy_logps, math.nan)) for side in golden]
    simpo = build_loss("simpo")
    assert torch.equal(simpo(*blind).losses, simpo(chosen, rejected).losses)


@pytest.mark.parametrize("params", [{"beta": 0}, {"beta": True}, {"gamma": -0.1}, {"gamma": "1"}, {"gamma": math.nan}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"simpo: {next(iter(params))} must be a number"):
        build_loss("simpo", **params)
