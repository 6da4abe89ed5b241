"""DPO on mean log-ratios (length-normalised DPO, arXiv 2411.15124): long completions weigh no more."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the margin between the mean log-ratios of the sides.

        loss = -log sigmoid(beta * (M(chosen) - M(rejected))),   M = mean_t log pi(y_t) - log ref(y_t)

    TRL calls it `sigmoid_norm`, open-instruct `dpo_norm`. At a beta that is usual for sums it is nearly flat:
    beta on means acts like beta / T on sums, so 5 at 50 tokens is DPO's 0.1.

    Attributes:
        beta: Reward per nat of mean log-ratio.
    """

    beta: Positive = 5.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.mean_log_ratio
        rejected_reward = self.beta * rejected.mean_log_ratio
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
