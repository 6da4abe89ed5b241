"""APO-zero (arXiv 2408.06266, equation 7): raises the chosen answer and lowers the rejected one, each by itself."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Two sigmoid losses, one for each completion, against the reference.

        loss = 1 - sigmoid(beta * S(chosen)) + sigmoid(beta * S(rejected)),   S = sum_t log pi(y_t) - log ref(y_t)

    Meant for chosen answers that are better than what the model gives. The equation number is that of a comment in TRL
    1.16, whose `apo_zero` is this loss.

    Attributes:
        beta: Reward per nat of summed log-ratio.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        # 1 - sigmoid(x) = sigmoid(-x), exact where it nears 0.
        return LossOutput(
            losses=torch.sigmoid(-chosen_reward) + torch.sigmoid(rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
