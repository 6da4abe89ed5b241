"""KTO (arXiv 2402.01306) on pairs: each completion by itself, against a reference point that the other one gives."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import require_positive


@dataclass(frozen=True)
class Loss:
    """Mean of two sigmoid losses: the chosen completion is desirable, the rejected one undesirable.

        q = beta * S,   S = sum_t log pi(y_t) - log ref(y_t)
        z(chosen) = max(0, q(rejected)),   z(rejected) = max(0, q(chosen)),   both constants
        desirable = 1 - sigmoid(q(chosen) - z(chosen)),   undesirable = 1 - sigmoid(z(rejected) - q(rejected))
        loss = (lambda_d * desirable + lambda_u * undesirable) / 2

    This is not the paper's KTO in one point. There one z serves a whole batch: the mean of S over completions put to
    other prompts, held at 0 from below. So a pair's loss depends on its neighbours, and on how a batch is split into
    micro-batches and processes; here a pair depends on itself alone. To take the pair's other completion is the
    estimate of `kto_pair`, an earlier loss of TRL's DPOTrainer, on a batch of one pair, except that z passed a gradient
    there. It is biased: KTO's authors advised against it, and TRL removed it (huggingface/trl, issue 1635, pull
    request 1734).

    Attributes:
        beta: Reward per nat of summed log-ratio, > 0.
        lambda_d: Weight of desirable completions, > 0.
        lambda_u: Weight of undesirable completions, > 0.
    """

    beta: float = 0.1
    lambda_d: float = 1.0
    lambda_u: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("kto", beta=self.beta, lambda_d=self.lambda_d, lambda_u=self.lambda_u)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        chosen_reference = rejected_reward.detach().clamp(min=0.0)
        rejected_reference = chosen_reward.detach().clamp(min=0.0)
        # 1 - sigmoid(x) = sigmoid(-x), exact where it nears 0.
        desirable = torch.sigmoid(chosen_reference - chosen_reward)
        undesirable = torch.sigmoid(rejected_reward - rejected_reference)
        return LossOutput(
            losses=(self.lambda_d * desirable + self.lambda_u * undesirable) / 2,
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
