"""DPO (arXiv 2305.18290, equation 7): the sequence-level baseline, on summed log-ratios."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the margin between the sequence log-ratios.

        loss = -log sigmoid(beta * (S(chosen) - S(rejected))),   S = sum_t log pi(y_t) - log ref(y_t)

    Attributes:
        beta: Reward per nat of summed log-ratio.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
