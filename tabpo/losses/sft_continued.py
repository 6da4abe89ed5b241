"""More supervised fine-tuning on the chosen answers, with everything else as in preference training: a control."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side


@dataclass(frozen=True)
class Loss:
    """Mean negative log-likelihood of the chosen completion; the rejected one is scored for the log alone.

        loss = -mean_t log pi(chosen_t)

    Rewards are the summed log-ratios to the reference (DPO's at beta 1), to compare margins.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        return LossOutput(
            losses=-chosen.mean_logps,
            chosen_rewards=chosen.log_ratio_sum,
            rejected_rewards=rejected.log_ratio_sum,
        )
