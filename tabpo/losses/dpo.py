"""DPO (arXiv 2305.18290, equation 7): the sequence-level baseline, on summed log-ratios."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import require_positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the margin between the sequence log-ratios.

        loss = -log sigmoid(beta * (S(chosen) - S(rejected))),   S = sum_t log pi(y_t) - log ref(y_t)

    Attributes:
        beta: Reward per nat of summed log-ratio, > 0.
    """

    beta: float = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("dpo", beta=self.beta)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
