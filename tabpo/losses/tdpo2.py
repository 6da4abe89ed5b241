"""TDPO2 (arXiv 2404.11999): TDPO1 with a weight on the KL gap, and none of the chosen side's gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """DPO's margin, less a share of the gap in sequential KL between rejected and chosen.

        u = r(chosen) - r(rejected),   r = sum_t log pi(y_t) - log ref(y_t)
        d = K(rejected) - stop_grad(K(chosen)),   K = sum_t KL(ref || pi)_t
        loss = -log sigmoid(beta * (u - alpha * d))

    Of the two KLs only the rejected side's passes a gradient. The authors' code (commit 4a36a00) computes this where
    its setting `if_tdpo2` is true; its shipped configuration says false, which is `tdpo1`. Rewards are DPO's, so that
    margins compare; that code logs beta * (r + K).

    Attributes:
        beta: Reward per nat of log-ratio.
        alpha: Weight of the KL gap; 0 gives back DPO exactly.
    """

    beta: Positive = 0.1
    alpha: NotNegative = 0.5

    needs: ClassVar[frozenset[str]] = frozenset({"token_kl"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        margin = chosen.log_ratio_sum - rejected.log_ratio_sum
        kl_gap = rejected.token_kl_sum - chosen.token_kl_sum.detach()
        return LossOutput(
            losses=-F.logsigmoid(self.beta * (margin - self.alpha * kl_gap)),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
