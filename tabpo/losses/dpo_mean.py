"""DPO on mean log-ratios (length-normalised DPO, arXiv 2411.15124): long completions weigh no more."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_mean
from tabpo.losses._ranges import require_positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the margin between the mean log-ratios of the sides.

        loss = -log sigmoid(beta * (M(chosen) - M(rejected))),   M = mean_t log pi(y_t) - log ref(y_t)

    TRL calls it `sigmoid_norm`, open-instruct `dpo_norm`. At a beta that is usual for sums it is nearly flat:
    beta on means acts like beta / T on sums, so 5 at 50 tokens is DPO's 0.1.

    Attributes:
        beta: Reward per nat of mean log-ratio, > 0.
    """

    beta: float = 5.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("dpo_mean", beta=self.beta)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_mean(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_mean(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
