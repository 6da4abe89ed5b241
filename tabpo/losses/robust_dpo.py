"""Robust DPO (rDPO, arXiv 2403.00409, section 3.1): DPO's loss without the bias that flipped pairs give it."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import require_flip_rate, require_positive


@dataclass(frozen=True)
class Loss:
    """A loss whose mean over random flips at rate epsilon is DPO's loss on clean pairs.

        m = beta * (S(chosen) - S(rejected)),   S = sum_t log pi(y_t) - log ref(y_t)
        loss = (-(1 - epsilon) * log sigmoid(m) + epsilon * log sigmoid(-m)) / (1 - 2 * epsilon)

    It has no lower bound: for large m it falls as -epsilon * m / (1 - 2 * epsilon), and becomes negative.
    TRL's `robust` is this loss, with epsilon as `label_smoothing`.

    Attributes:
        beta: Reward per nat of summed log-ratio, > 0.
        epsilon: Share of flipped pairs, from 0, below 0.5; 0 gives back DPO exactly.
    """

    beta: float = 0.1
    epsilon: float = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("robust_dpo", beta=self.beta)
        require_flip_rate("robust_dpo", half=False, epsilon=self.epsilon)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        margin = chosen_reward - rejected_reward
        biased = -(1 - self.epsilon) * F.logsigmoid(margin) + self.epsilon * F.logsigmoid(-margin)
        return LossOutput(
            losses=biased / (1 - 2 * self.epsilon),
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
