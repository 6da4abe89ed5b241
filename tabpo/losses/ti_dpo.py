"""TI-DPO (arXiv 2505.19653, equations 12 to 14): TDPO2 with token weights, and a triplet term with a sample."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive, Share


@dataclass(frozen=True)
class Loss:
    """TDPO2's loss with token weights, plus gamma times a hinge that draws a sampled answer to the chosen one.

        W = T (lambda_ I / sum I + (1 - lambda_) P),   P = exp(-z^2 / 2) / sum exp(-z^2 / 2)
        z = (t - (T - 1) / 2) / (T / prior_divisor),   t = 0 .. T - 1
        M = sum_t W_t r_t,   r_t = log pi(y_t) - log ref(y_t),   K = sum_t KL(ref || pi)_t, unweighted
        base = -log sigmoid(beta * (M(chosen) - M(rejected) - alpha * (K(rejected) - stop_grad(K(chosen)))))
        triplet = max(0, sum_t (r(anchor)_t - r(chosen)_t)^2 - sum_t (r(anchor)_t - r(rejected)_t)^2 + margin)
        loss = base + gamma * triplet

    I is the gradient attribution of each completion token, W a constant of mean 1 over each completion, and the
    anchor an answer sampled from the policy; the triplet's gradient goes through all three log-ratios. Where all
    attributions are 0 the prior alone weighs; a single token has weight 1. Each sum of squares runs over the
    positions that both answers have, as in the authors' code: beyond the end of one there is no log-ratio to compare.

    The paper's letter alpha stands for two things: the weight of the KL in its table of hyperparameters, `alpha`
    here, and the margin in its equation 13, `margin` here. It gives no value for the margin: 0.001 is that of the
    authors' code; the other defaults are the paper's. Its equations have no KL, which is `alpha` 0. Its prior is
    printed without the sum to divide by, and would outweigh the attribution T-fold; the factor T of W is the code's.
    That code weighs prompt and completion as one, with the prior over both, where here only completion tokens
    count; has a prior at least one token wide; gives a lone token weight 0; and has beta 0.2, lambda_ 0.2, gamma 0.001
    and prior_divisor 8.

    Attributes:
        beta: Reward per nat of weighted log-ratio.
        alpha: Weight of the KL gap; 0 leaves the KL out.
        lambda_: Share of the attribution in the weights; the rest is the prior's.
        prior_divisor: The prior's standard deviation is T over this.
        gamma: Weight of the triplet term; 0 leaves it out.
        margin: By how much the anchor's squared distance from the rejected log-ratios must exceed that from the
            chosen ones, in square nats.
    """

    beta: Positive = 0.1
    alpha: NotNegative = 0.5
    lambda_: Share = 0.7
    prior_divisor: Positive = 4.0
    gamma: NotNegative = 0.1
    margin: NotNegative = 0.001

    needs: ClassVar[frozenset[str]] = frozenset({"token_kl", "importance", "anchor"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_ratio = (self._token_weights(chosen) * chosen.log_ratios).sum(-1)
        rejected_ratio = (self._token_weights(rejected) * rejected.log_ratios).sum(-1)
        kl_gap = rejected.token_kl_sum - chosen.token_kl_sum.detach()
        margin = chosen_ratio - rejected_ratio - self.alpha * kl_gap
        triplet = F.relu(_distance(chosen.anchor, chosen) - _distance(chosen.anchor, rejected) + self.margin)
        return LossOutput(
            losses=-F.logsigmoid(self.beta * margin) + self.gamma * triplet,
            chosen_rewards=self.beta * chosen_ratio,
            rejected_rewards=self.beta * rejected_ratio,
        )

    @torch.no_grad()
    def _token_weights(self, side: Side) -> Tensor:
        """(B, T), mean 1 over each completion, 0 outside it."""
        mask, length = side.completion_mask, side.lengths[:, None]
        importance = side.importance.to(side.policy_logps.dtype).where(mask, 0.0)
        position = torch.arange(mask.shape[1], device=mask.device, dtype=importance.dtype)
        z = (position - (length - 1) / 2) / (length / self.prior_divisor)
        prior = (-z.square() / 2).masked_fill(~mask, -torch.inf).softmax(-1)
        total = importance.sum(-1, keepdim=True)
        mixed = self.lambda_ * importance / total + (1 - self.lambda_) * prior
        return length * torch.where(total == 0, prior, mixed)


def _distance(anchor: Side, side: Side) -> Tensor:
    """Squared distance of two answers' log-ratios over the positions that both have, (B,)."""
    width = min(anchor.policy_logps.shape[1], side.policy_logps.shape[1])
    both = anchor.completion_mask[:, :width] & side.completion_mask[:, :width]
    return (anchor.log_ratios[:, :width] - side.log_ratios[:, :width]).where(both, 0.0).square().sum(-1)
