"""APO-down (arXiv 2408.06266, equation 8): lowers both answers, the rejected one further."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """A sigmoid loss that lowers the chosen completion, and one that lowers the rejected completion below it.

        loss = sigmoid(beta * S(chosen)) + 1 - sigmoid(beta * (S(chosen) - S(rejected)))
        S = sum_t log pi(y_t) - log ref(y_t)

    Meant for chosen answers that are worse than what the model gives. Gold answers are not: here it is a control for
    `apo_zero`. At the reference the two terms cancel on the chosen side. The equation number is that of a comment in
    TRL 1.16, whose `apo_down` is this loss.

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
            losses=torch.sigmoid(chosen_reward) + torch.sigmoid(rejected_reward - chosen_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
