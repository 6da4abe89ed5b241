"""BPO (arXiv 2505.19601): a Bregman divergence between the pair's preference ratio under the policy and the data's."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._bregman import Generator, bregman
from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive, Share


@dataclass(frozen=True)
class Loss:
    """Bregman loss of a pair, one ratio for the whole completions.

        log R = beta * (S(rejected) - S(chosen)), clamped to +-30,   S = sum_t log pi(y_t) - log ref(y_t)
        loss = l(R), l by `generator`:
            scaled_basu   R^(1 + lambda_) / (scale * (1 + lambda_)) - R^(-lambda_) / (scale * lambda_);
                          at lambda_ 0 (R + log R) / scale
            logistic      log(1 + R), which is DPO

    The authors' repository (aailab-kaist/BPO, commit 5417b8d) has no code. The equation is known from the code of
    TBPO's fork (Thang1703hrsh/ARC-BPO, commit 400f81b), which has the same divergence for each token, and the clamp is
    that code's. The paper's own defaults are not known to this project; lambda_ and scale are TBPO's. scaled_basu has
    no lower bound but the clamp.

    Attributes:
        beta: Reward per nat of summed log-ratio.
        generator: "scaled_basu" or "logistic".
        lambda_: Power of scaled_basu; the logistic generator does not read it.
        scale: Scale of scaled_basu; at 4 its slope at R = 1 is that of log(1 + R).
    """

    beta: Positive = 0.1
    generator: Generator = "scaled_basu"
    lambda_: Share = 0.0
    scale: Positive = 4.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        log_ratio = self.beta * (rejected.log_ratio_sum - chosen.log_ratio_sum)
        return LossOutput(
            losses=bregman(log_ratio, self.generator, self.lambda_, self.scale),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
