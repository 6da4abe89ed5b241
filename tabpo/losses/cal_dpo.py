"""Cal-DPO (arXiv 2412.14516): a logistic loss, and a target for the reward of each side."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """The margin's logistic loss, without beta, plus squared distances of both log-ratios from their targets.

        S = sum_t log pi(y_t) - log ref(y_t)
        loss = -log sigmoid(S(chosen) - S(rejected)) + (S(chosen) - 1 / (2 * beta))^2 + (S(rejected) + 1 / (2 * beta))^2

    The TAB-PO authors' runs weigh the terms so. The authors' released code (commit 646a754) halves the two squares,
    and averages them over the batch before the sum, which is the same after the batch mean.

    Attributes:
        beta: Reward per nat of summed log-ratio: the targets are rewards of 1 / 2 and -1 / 2.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_ratio = chosen.log_ratio_sum
        rejected_ratio = rejected.log_ratio_sum
        target = 1 / (2 * self.beta)
        calibration = (chosen_ratio - target).square() + (rejected_ratio + target).square()
        return LossOutput(
            losses=-F.logsigmoid(chosen_ratio - rejected_ratio) + calibration,
            chosen_rewards=self.beta * chosen_ratio,
            rejected_rewards=self.beta * rejected_ratio,
        )
