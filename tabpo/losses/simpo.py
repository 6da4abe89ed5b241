"""SimPO (arXiv 2405.14734, equation 6): mean log-probs as rewards, a target margin, no reference."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_mean
from tabpo.losses._ranges import require_not_negative, require_positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the difference in mean log-prob, less a target margin.

        loss = -log sigmoid(beta * (mean_t log pi(chosen_t) - mean_t log pi(rejected_t)) - gamma)

    Attributes:
        beta: Reward per nat of mean log-prob, > 0.
        gamma: Target margin in reward, >= 0, subtracted as it is, as in the paper, TRL and LLaMA-Factory. The authors'
            code, HALOs and open-instruct take `gamma_beta_ratio` instead, which is gamma / beta: 0.55 there at beta
            2.5 is 1.375 here.
    """

    beta: float = 2.0
    gamma: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("simpo", beta=self.beta)
        require_not_negative("simpo", gamma=self.gamma)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_mean(chosen.policy_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_mean(rejected.policy_logps, rejected.completion_mask)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward - self.gamma),
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
