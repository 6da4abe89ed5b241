"""KTO on pairs (after arXiv 2402.01306): each completion against a reference point that the pair's other one gives."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Mean of two sigmoid losses: the chosen completion is desirable, the rejected one undesirable.

        q = beta * S,   S = sum_t log pi(y_t) - log ref(y_t)
        z(chosen) = max(0, q(rejected)),   z(rejected) = max(0, q(chosen)),   both constants
        desirable = 1 - sigmoid(q(chosen) - z(chosen)),   undesirable = 1 - sigmoid(z(rejected) - q(rejected))
        loss = (lambda_d * desirable + lambda_u * undesirable) / 2

    It is called `kto_pair` because it is not the paper's KTO: the reference point differs. The paper has one z for a
    whole batch, the mean of S over completions paired with other prompts, clamped at 0 from below. A pair's loss then
    depends on its neighbours, and on how a batch is split into micro-batches and processes, which no loss here may.
    Here z comes from the pair's other completion. TRL's DPOTrainer had this estimate under the same name, on a batch of
    one pair, except that z passed a gradient there. It is biased: KTO's authors advised against it, and TRL removed it
    (huggingface/trl, issue 1635, pull request 1734).

    Attributes:
        beta: Reward per nat of summed log-ratio.
        lambda_d: Weight of desirable completions.
        lambda_u: Weight of undesirable completions.
    """

    beta: Positive = 0.1
    lambda_d: Positive = 1.0
    lambda_u: Positive = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        chosen_reference = rejected_reward.detach().clamp(min=0.0)
        rejected_reference = chosen_reward.detach().clamp(min=0.0)
        # 1 - sigmoid(x) = sigmoid(-x), exact where it nears 0.
        desirable = torch.sigmoid(chosen_reference - chosen_reward)
        undesirable = torch.sigmoid(rejected_reward - rejected_reference)
        return LossOutput(
            losses=(self.lambda_d * desirable + self.lambda_u * undesirable) / 2,
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
