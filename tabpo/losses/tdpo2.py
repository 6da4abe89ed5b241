"""TDPO2 (arXiv 2404.11999): TDPO1 with a weight on the KL gap, and none of the chosen side's gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import require_not_negative, require_positive


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
        beta: Reward per nat of log-ratio, > 0.
        alpha: Weight of the KL gap, >= 0; 0 gives back DPO exactly.
    """

    beta: float = 0.1
    alpha: float = 0.5

    needs: ClassVar[frozenset[str]] = frozenset({"token_kl"})

    def __post_init__(self) -> None:
        require_positive("tdpo2", beta=self.beta)
        require_not_negative("tdpo2", alpha=self.alpha)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_ratio, chosen_kl = _ratio_and_kl(chosen)
        rejected_ratio, rejected_kl = _ratio_and_kl(rejected)
        kl_gap = rejected_kl - chosen_kl.detach()
        margin = chosen_ratio - rejected_ratio - self.alpha * kl_gap
        return LossOutput(
            losses=-F.logsigmoid(self.beta * margin),
            chosen_rewards=self.beta * chosen_ratio.detach(),
            rejected_rewards=self.beta * rejected_ratio.detach(),
        )


def _ratio_and_kl(side: Side) -> tuple[Tensor, Tensor]:
    """Sums over the completion, (B,) each."""
    ratio = masked_sum(side.policy_logps - side.reference_logps, side.completion_mask)
    return ratio, masked_sum(side.token_kl, side.completion_mask)
