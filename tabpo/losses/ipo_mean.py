"""IPO (arXiv 2310.12036, equation 17) on mean log-ratios, as its authors ran it: a target for the margin."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Squared distance of the margin from 1 / (2 beta).

        loss = (M(chosen) - M(rejected) - 1 / (2 * beta))^2,   M = mean_t log pi(y_t) - log ref(y_t)

    TRL, LLaMA-Factory, HALOs and ms-swift call this `ipo`; the paper's authors confirmed to TRL that they divided by
    the length. eric-mitchell/direct-preference-optimization, OpenRLHF and Token-BPO take sums: that is `ipo_sum`.

    Attributes:
        beta: The paper's tau: the target is a margin of 1 / (2 beta) nats of mean log-ratio, a reward of 1 / 2.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        margin = chosen.mean_log_ratio - rejected.mean_log_ratio
        return LossOutput(
            losses=(margin - 1 / (2 * self.beta)).square(),
            chosen_rewards=self.beta * chosen.mean_log_ratio,
            rejected_rewards=self.beta * rejected.mean_log_ratio,
        )
