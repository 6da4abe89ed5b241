"""Robust DPO (rDPO, arXiv 2403.00409, section 3.1): DPO's loss without the bias that flipped pairs give it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive, Range


@dataclass(frozen=True)
class Loss:
    """A loss whose mean over random flips at rate epsilon is DPO's loss on clean pairs.

        m = beta * (S(chosen) - S(rejected)),   S = sum_t log pi(y_t) - log ref(y_t)
        loss = (-(1 - epsilon) * log sigmoid(m) + epsilon * log sigmoid(-m)) / (1 - 2 * epsilon)

    It has no lower bound: for large m it falls as -epsilon * m / (1 - 2 * epsilon), and becomes negative.
    TRL's `robust` is this loss, with epsilon as `label_smoothing`.

    Attributes:
        beta: Reward per nat of summed log-ratio.
        epsilon: Share of flipped pairs; 0 gives back DPO exactly.
    """

    beta: Positive = 0.1
    epsilon: Annotated[float, Range("a number from 0, below 0.5", lambda rate: 0 <= rate < 0.5)] = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        margin = chosen_reward - rejected_reward
        biased = -(1 - self.epsilon) * F.logsigmoid(margin) + self.epsilon * F.logsigmoid(-margin)
        return LossOutput(
            losses=biased / (1 - 2 * self.epsilon),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
