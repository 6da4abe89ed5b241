"""FTPO (arXiv 2510.15061) without its tether: a margin between the two tokens at which the answers part."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._bregman import paired_tokens
from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Softplus of the distance to a margin, at the first differing token alone, tapered to 0 at the margin.

        delta = log pi(chosen_t) - log pi(rejected_t),   t the first index at which the completions differ
        weight = (epsilon - delta) / epsilon, clamped to [0, 1]
        loss = weight * softplus((epsilon - delta) / tau)

    Both tokens are predicted from the same state, so the difference of their log-probs is that of their logits, which
    the paper compares. No other token and no reference is read.

    The equation is read in the authors' code (sam-paech/auto-antislop, commit 4b31cae), not in the paper; the gradient
    passes through the weight, as there. That code has several chosen tokens for a rejected one, divides by the sum of
    the weights over the batch, and gives a row whose weights are all 0 weights of 1. Here there is one chosen token, a
    pair does not depend on its batch, and a pair beyond the margin has loss 0. That code also ties all logits to those
    of the reference by squared differences (0.4 for the rest of the vocabulary, 0.05 for the two tokens), which needs
    the whole vocabulary and is left out. Rewards are the log-probs of the two tokens.

    Attributes:
        epsilon: Margin in nats at which a pair stops to count.
        tau: Nats over which the softplus bends.
    """

    epsilon: Positive = 2.0
    tau: Positive = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        place = _first_difference(chosen, rejected)
        chosen_logp = chosen.policy_logps.gather(1, place).squeeze(1)
        rejected_logp = rejected.policy_logps.gather(1, place).squeeze(1)
        gap = self.epsilon - (chosen_logp - rejected_logp)
        return LossOutput(
            losses=(gap / self.epsilon).clamp(0.0, 1.0) * F.softplus(gap / self.tau),
            chosen_rewards=chosen_logp,
            rejected_rewards=rejected_logp,
        )


def _first_difference(chosen: Side, rejected: Side) -> Tensor:
    """(B, 1), the first index at which a token differs on either side; both have it, since neither begins the other."""
    both = paired_tokens(chosen, rejected)
    width = both.shape[1]
    differs = (chosen.differs[:, :width] | rejected.differs[:, :width]) & both
    return differs.to(torch.int8).argmax(1, keepdim=True)
