"""TBPO-A (TokenRatio, arXiv 2605.12288): preferences of tokens by their advantage, which needs no baseline."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._bregman import Generator, bregman, difference, paired_tokens
from tabpo.losses._interface import LossOutput, Side, masked_mean
from tabpo.losses._ranges import Positive, Share


@dataclass(frozen=True)
class Loss:
    """Mean Bregman loss over tokens paired by index; the longer completion's tail is not read.

        a_t = log pi(y_t) - log ref(y_t) + KL(ref || pi)_t
        log R_t = beta * (a_t(rejected) - a_t(chosen)),   held within +-30
        loss = mean_t l(R_t) over t up to the shorter length,   l as `generator` says:
            scaled_basu   R^(1 + lambda_) / (scale * (1 + lambda_)) - R^(-lambda_) / (scale * lambda_),
                          at lambda_ 0 (R + log R) / scale
            logistic      log(1 + R)

    KL is over the whole vocabulary and passes a gradient on both sides, as in the authors' code (dinhtruongng/Token-BPO
    and its fork Thang1703hrsh/ARC-BPO, commit 400f81b); the paper's appendix estimates it from samples. The paper's
    logistic loss is twice log(1 + R), its code's is this. On pairs of one token the logistic form is `tdpo1`.

    Index pairs tokens of the same place only up to the first edit that changes the length. scaled_basu has no lower
    bound: it goes on pushing paired tokens apart until log R is -30, with a slope that for lambda_ > 0 even grows.

    Rewards are DPO's, over whole completions, so that margins compare.

    Attributes:
        beta: Log-odds per nat.
        generator: "scaled_basu" or "logistic".
        lambda_: Power of scaled_basu; the logistic one does not read it.
        scale: The paper's s, of scaled_basu alone; at 4 its slope at R = 1 is that of log(1 + R).
    """

    beta: Positive = 0.1
    generator: Generator = "scaled_basu"
    lambda_: Share = 0.0
    scale: Positive = 4.0

    needs: ClassVar[frozenset[str]] = frozenset({"token_kl"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        pairs = paired_tokens(chosen, rejected)
        log_ratios = self.beta * difference(
            chosen.log_ratios + chosen.token_kl, rejected.log_ratios + rejected.token_kl, pairs
        )
        return LossOutput(
            losses=masked_mean(bregman(log_ratios, self.generator, self.lambda_, self.scale), pairs),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
