"""TBPO-Q (TokenRatio, arXiv 2605.12288): preferences of tokens by their value, less a learnt value of their state."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tabpo.losses._bregman import Generator, bregman, difference, paired_tokens
from tabpo.losses._interface import LossOutput, Side, masked_mean
from tabpo.losses._ranges import FlipRate, Positive, Share

MAX_LOG_WEIGHT = 10.0
"""Bound of |log w|, that of the authors' code."""


@dataclass(frozen=True)
class Loss:
    """Mean Bregman loss over tokens paired by index; the longer completion's tail is not read.

        r_t = log pi(y_t) - log ref(y_t)
        log w_t = b(state_t(rejected)) - b(state_t(chosen)), less its mean over the pair's tokens, held within +-10
        log R_t = beta * (r_t(rejected) - r_t(chosen) + log w_t),   held within +-30
        loss = mean_t (1 - epsilon) * l(R_t) + epsilon * l(1 / R_t) over t up to the shorter length,
            l as `generator` says:
            scaled_basu   R^(1 + lambda_) / (scale * (1 + lambda_)) - R^(-lambda_) / (scale * lambda_),
                          at lambda_ 0 (R + log R) / scale
            logistic      log(1 + R)

    b is the baseline, a head that learns from this same loss; the mean that is taken off passes its gradient.
    Centring, the bounds and epsilon are the authors' code's (dinhtruongng/Token-BPO, and its fork
    Thang1703hrsh/ARC-BPO, commit 400f81b), not the paper's equations. The paper's logistic loss is twice log(1 + R),
    its code's is this.

    Index pairs tokens of the same place only up to the first edit that changes the length. scaled_basu has no lower
    bound: it goes on pushing paired tokens apart until log R is -30, with a slope that for lambda_ > 0 even grows.

    Rewards are DPO's, over whole completions, so that margins compare.

    Attributes:
        beta: Log-odds per nat.
        generator: "scaled_basu" or "logistic".
        lambda_: Power of scaled_basu; the logistic one does not read it.
        scale: The paper's s, of scaled_basu alone; at 4 its slope at R = 1 is that of log(1 + R).
        epsilon: Share of flipped pairs; 0.5 has no preference.
    """

    beta: Positive = 0.1
    generator: Generator = "scaled_basu"
    lambda_: Share = 0.0
    scale: Positive = 4.0
    epsilon: FlipRate = 0.0

    needs: ClassVar[frozenset[str]] = frozenset({"baseline"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        pairs = paired_tokens(chosen, rejected)
        log_weights = difference(chosen.baseline, rejected.baseline, pairs)
        log_weights = log_weights - masked_mean(log_weights, pairs)[:, None]
        log_weights = log_weights.clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT)
        log_ratios = self.beta * (difference(chosen.log_ratios, rejected.log_ratios, pairs) + log_weights)

        losses = (1 - self.epsilon) * self._bregman(log_ratios) + self.epsilon * self._bregman(-log_ratios)
        return LossOutput(
            losses=masked_mean(losses, pairs),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )

    def _bregman(self, log_ratios: Tensor) -> Tensor:
        return bregman(log_ratios, self.generator, self.lambda_, self.scale)
