"""IPO (arXiv 2310.12036, equation 17) on summed log-ratios: the margin is drawn to a target, not to infinity."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Squared distance of the margin from 1 / (2 beta).

        loss = (S(chosen) - S(rejected) - 1 / (2 * beta))^2,   S = sum_t log pi(y_t) - log ref(y_t)

    Sums are what the equation says and what eric-mitchell/direct-preference-optimization, OpenRLHF and Token-BPO
    compute. TRL, LLaMA-Factory, HALOs and ms-swift take means: that is `ipo_mean`, another loss at the same beta.

    Attributes:
        beta: The paper's tau: the target is a margin of 1 / (2 beta) nats of summed log-ratio, a reward of 1 / 2.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        margin = chosen.log_ratio_sum - rejected.log_ratio_sum
        return LossOutput(
            losses=(margin - 1 / (2 * self.beta)).square(),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
