"""More supervised fine-tuning on the chosen answers, with everything else as in preference training: a control."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side, masked_mean, masked_sum


@dataclass(frozen=True)
class Loss:
    """Mean negative log-likelihood of the chosen completion; the rejected one is scored for the log alone.

        loss = -mean_t log pi(chosen_t)

    Rewards are the summed log-ratios to the reference (DPO's at beta 1), to compare margins.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        rewards = [
            masked_sum(side.policy_logps - side.reference_logps, side.completion_mask).detach()
            for side in (chosen, rejected)
        ]
        return LossOutput(-masked_mean(chosen.policy_logps, chosen.completion_mask), *rewards)
