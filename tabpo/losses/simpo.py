"""SimPO (arXiv 2405.14734, equation 6, number not confirmed): mean log-probs as rewards and a target margin."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the difference in mean log-prob, less a target margin.

        loss = -log sigmoid(beta * (mean_t log pi(chosen_t) - mean_t log pi(rejected_t)) - gamma)

    Attributes:
        beta: Reward per nat of mean log-prob.
        gamma: Target margin in reward, subtracted as it is, as in the paper, TRL and LLaMA-Factory. The authors'
            code, HALOs and open-instruct take `gamma_beta_ratio` instead, which is gamma / beta: 0.55 there at beta
            2.5 is 1.375 here.
    """

    beta: Positive = 2.0
    gamma: NotNegative = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.mean_logps
        rejected_reward = self.beta * rejected.mean_logps
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward - self.gamma),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
