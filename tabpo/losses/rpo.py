"""RPO, DPO regularised by the likelihood of the chosen answer (arXiv 2404.19733, equation 1, not confirmed)."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """DPO plus the mean negative log-likelihood of the chosen completion.

        loss = -log sigmoid(beta * (S(chosen) - S(rejected))) - alpha * mean_t log pi(chosen_t)

    This is the paper's third version; in its first, alpha weighs the preference term (huggingface/trl, issue 1868).

    Attributes:
        beta: Reward per nat of summed log-ratio.
        alpha: Weight of the likelihood term; 0 gives back DPO exactly.
    """

    beta: Positive = 0.1
    alpha: NotNegative = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        anchor = -chosen.mean_logps
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward) + self.alpha * anchor,
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
