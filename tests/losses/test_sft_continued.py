"""Continued SFT: the chosen side's mean surprise, and nothing of the rejected side."""

from dataclasses import replace

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    output = build_loss("sft_continued")(*golden)
    assert output.losses.item() == pytest.approx((0.1 + 0.2 + 1.5 + 0.3) / 4)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.35, 0.35))


def test_the_rejected_side_gets_no_gradient(golden):
    leaves = [side.policy_logps.clone().requires_grad_() for side in golden]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip(golden, leaves, strict=True)]
    build_loss("sft_continued")(*sides).losses.sum().backward()
    torch.testing.assert_close(leaves[0].grad, torch.full_like(leaves[0], -0.25))
    assert leaves[1].grad is None


def test_takes_no_hyperparameter():
    with pytest.raises(ConfigError, match="unknown hyperparameter beta; it takes: no hyperparameter"):
        build_loss("sft_continued", beta=0.1)
