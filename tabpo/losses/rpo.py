"""RPO, DPO regularised by the likelihood of the chosen answer (arXiv 2404.19733, equation 1): the ungated anchor."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_mean, masked_sum
from tabpo.losses._ranges import require_not_negative, require_positive


@dataclass(frozen=True)
class Loss:
    """DPO plus the mean negative log-likelihood of the chosen completion.

        loss = -log sigmoid(beta * (S(chosen) - S(rejected))) - alpha * mean_t log pi(chosen_t)

    This is the paper's third version; in its first, alpha weighs the preference term (huggingface/trl, issue 1868).

    Attributes:
        beta: Reward per nat of summed log-ratio, > 0.
        alpha: Weight of the likelihood term, >= 0; 0 gives back DPO exactly.
    """

    beta: float = 0.1
    alpha: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("rpo", beta=self.beta)
        require_not_negative("rpo", alpha=self.alpha)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        anchor = -masked_mean(chosen.policy_logps, chosen.completion_mask)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward) + self.alpha * anchor,
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
