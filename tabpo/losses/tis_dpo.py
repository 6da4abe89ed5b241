"""TIS-DPO (arXiv 2410.04350; equation number not confirmed): DPO on tokens weighted by two other DPO runs."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """DPO's loss on log-ratios weighted by a token's rank, by how much two contrastive policies differ on it.

        loss = -log sigmoid(beta * (V(chosen) - V(rejected))),   V = sum_t w_t (log pi(y_t) - log ref(y_t))
        w_t = low + (high - low) * rank_t / (n - 1)

    rank_t, from 0 to n - 1, is that of log pi+(y_t) - log pi-(y_t) among the n tokens before the end-of-turn token; on
    the rejected side the sign is reversed. pi+ is DPO on the pairs, pi- DPO on the pairs with their sides swapped.
    Equal differences have their mean rank, and a single token weighs (low + high) / 2. The end-of-turn token weighs 0.

    These are the weights `rank_based` of the authors' code (exlaw/TIS-DPO, commit cbad7c1), as its README trains. The
    code rounds the differences to two decimals and ranks equal ones by their position, a later token above an earlier
    one; here they are not rounded. The paper's weights, an exponential of the clamped difference, are not offered:
    their constants were not confirmed.

    Attributes:
        beta: Reward per nat of weighted log-ratio.
        low: Weight of the token with the lowest rank.
        high: Weight of the token with the highest rank.
    """

    beta: Positive = 0.1
    low: NotNegative = 0.7
    high: Positive = 1.3

    needs: ClassVar[frozenset[str]] = frozenset({"dpo_logps", "reverse_dpo_logps"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * self._advantage(chosen, chosen.dpo_logps - chosen.reverse_dpo_logps)
        rejected_reward = self.beta * self._advantage(rejected, rejected.reverse_dpo_logps - rejected.dpo_logps)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )

    def _advantage(self, side: Side, scores: Tensor) -> Tensor:
        ranked = side.completion_mask & side.completion_mask.roll(-1, -1)  # all but the end-of-turn token
        ranked[:, -1] = False
        both = ranked[:, :, None] & ranked[:, None, :]
        scores = scores.where(ranked, 0.0)
        below = ((scores[:, :, None] > scores[:, None, :]) & both).sum(-1)
        equal = ((scores[:, :, None] == scores[:, None, :]) & both).sum(-1)  # itself included
        twice_rank = (2 * below + equal - 1).to(scores.dtype)
        last = ranked.sum(-1, keepdim=True) - 1
        share = (twice_rank / (2 * last.clamp(min=1))).where(last > 0, 0.5)
        weights = (self.low + (self.high - self.low) * share).where(ranked, 0.0)
        return (weights * side.log_ratios).sum(-1)
