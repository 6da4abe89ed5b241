"""DPO on numbers worked by hand and published by others."""

import math

import pytest
import torch
import yaml

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # S(chosen) = 0 + .05 - .5 + .1 = -.35; S(rejected) = .35; log(1 + exp(.1 * .7))
    output = build_loss("dpo", beta=0.1)(*golden)
    assert output.losses.item() == pytest.approx(math.log(1 + math.exp(0.07)), abs=1e-12)
    assert output.losses.item() == pytest.approx(0.728759556, abs=1e-9)
    assert output.chosen_rewards.item() == pytest.approx(-0.035)
    assert output.rejected_rewards.item() == pytest.approx(0.035)
    assert output.gate is None


def test_torchtune_values(make_sequence_pair):
    # tests/torchtune/rlhf/loss/test_dpo_loss.py of torchtune: margins 0, 10, 20
    pair = make_sequence_pair([-0.5, -10, -1], [-0.1, -30, -21], [-0.5, -10.1, -0.1], [-0.1, -20.1, -0.1])
    expected = torch.tensor([0.693147, 0.313262, 0.126928], dtype=torch.float64)
    torch.testing.assert_close(build_loss("dpo", beta=0.1)(*pair).losses, expected, atol=1e-6, rtol=0)


def test_llama_factory_values(make_sequence_pair):
    # inputs of tests_v1/trainers/test_dpo_loss_precision.py of LLaMA-Factory
    pair = make_sequence_pair(
        [-3, -2.5, -4, -1.5], [-5, -3.5, -6, -2.5], [-2.8, -2.3, -3.8, -1.4], [-3.2, -2.7, -4.2, -1.8]
    )
    expected = torch.tensor([0.616344, 0.663597, 0.616344, 0.663597], dtype=torch.float64)
    torch.testing.assert_close(build_loss("dpo", beta=0.1)(*pair).losses, expected, atol=1e-6, rtol=0)


def test_a_policy_at_its_reference_scores_log_two(make_side):
    chosen, rejected = make_side([[-0.3, -2.0]], [[-0.3, -2.0]]), make_side([[-0.7, -1.0]], [[-0.7, -1.0]])
    assert build_loss("dpo")(chosen, rejected).losses.item() == pytest.approx(math.log(2), abs=1e-15)


def test_gradient_is_the_same_on_every_token(golden):
    # dloss/dlogp = -beta sigmoid(-beta * margin) on chosen tokens, its negative on rejected ones
    chosen, rejected = golden
    leaves = [side.policy_logps.clone().requires_grad_() for side in golden]
    sides = [type(side)(**{**vars(side), "policy_logps": leaf}) for side, leaf in zip(golden, leaves, strict=True)]
    build_loss("dpo", beta=0.1)(*sides).losses.sum().backward()
    expected = 0.1 / (1 + math.exp(0.1 * -0.7))
    torch.testing.assert_close(leaves[0].grad, torch.full_like(chosen.policy_logps, -expected))
    torch.testing.assert_close(leaves[1].grad, torch.full_like(rejected.policy_logps, expected))


@pytest.mark.parametrize("beta", [0, -0.1, math.nan, math.inf, True, None])
def test_refused_beta(beta):
    with pytest.raises(ConfigError, match=f"dpo: beta must be a number above 0, got {beta}"):
        build_loss("dpo", beta=beta)


def test_a_number_that_yaml_reads_as_text_is_called_so():
    with pytest.raises(ConfigError, match="dpo: beta must be a number above 0, got the text '1e-1'"):
        build_loss("dpo", beta=yaml.safe_load("1e-1"))
