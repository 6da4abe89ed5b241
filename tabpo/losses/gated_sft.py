"""The barrier of TAB-PO (arXiv 2603.00025) alone, without its preference term: a control of this project."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import Probability


@dataclass(frozen=True)
class Loss:
    """Mean surprise of the chosen tokens below probability tau; the rejected side is scored for the log alone.

        gate = [pi(chosen_t) < tau], a constant
        loss = sum_t gate_t (-log pi(chosen_t)) / max(1, sum_t gate_t)

    It equals `tab_po` at lambda_ 1, unweighted, less its preference term. Rewards are the summed log-ratios to the
    reference (DPO's at beta 1), to compare margins.

    Attributes:
        tau: Probability below which a chosen token is gated; at 1 every token is, which is continued SFT.
    """

    tau: Probability = 0.9

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        # A probability below 1 may round to 1; a NaN is gated, so that it stops the run.
        threshold = math.log(self.tau) if self.tau < 1 else math.inf
        gate = ~(chosen.policy_logps.detach() >= threshold) & chosen.completion_mask
        return LossOutput(
            losses=-masked_sum(chosen.policy_logps, gate) / gate.sum(-1).clamp(min=1),
            chosen_rewards=chosen.log_ratio_sum,
            rejected_rewards=rejected.log_ratio_sum,
            gate=gate,
        )
