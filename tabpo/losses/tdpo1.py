"""TDPO1 (arXiv 2404.11999): DPO's margin less the gap in sequential KL, gradients on both sides."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """DPO's margin, less the gap in sequential KL between rejected and chosen.

        u = r(chosen) - r(rejected),   r = sum_t log pi(y_t) - log ref(y_t)
        d = K(rejected) - K(chosen),   K = sum_t KL(ref || pi)_t
        loss = -log sigmoid(beta * (u - d))

    The gradient goes through both KLs: the chosen side's is raised, the rejected side's lowered. The authors' code
    (commit 4a36a00) computes this where its setting `if_tdpo2` is false, as shipped, although true is the default of
    its function. Rewards are DPO's, so that margins compare; that code logs beta * (r + K).

    Attributes:
        beta: Reward per nat of log-ratio.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset({"token_kl"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        margin = chosen.log_ratio_sum - rejected.log_ratio_sum
        kl_gap = rejected.token_kl_sum - chosen.token_kl_sum
        return LossOutput(
            losses=-F.logsigmoid(self.beta * (margin - kl_gap)),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
