"""Conservative DPO (E. Mitchell, "A note on DPO with noisy preferences", 2023, equation 3): smoothed labels."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive, Share


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of DPO's margin with a label that is wrong in a share epsilon of the pairs.

        m = beta * (S(chosen) - S(rejected)),   S = sum_t log pi(y_t) - log ref(y_t)
        loss = -(1 - epsilon) * log sigmoid(m) - epsilon * log sigmoid(-m)

    The best margin is finite, log((1 - epsilon) / epsilon): beyond it the gradient turns. Elsewhere this is
    `sigmoid` with `label_smoothing`, in earlier versions of TRL too; TRL 1.16 has only the unbiased form, `robust_dpo`.

    Attributes:
        beta: Reward per nat of summed log-ratio.
        epsilon: Share of flipped pairs; 0 gives back DPO exactly, 0.5 has no preference, and 1 is DPO on swapped pairs.
    """

    beta: Positive = 0.1
    epsilon: Share = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        margin = chosen_reward - rejected_reward
        return LossOutput(
            losses=-(1 - self.epsilon) * F.logsigmoid(margin) - self.epsilon * F.logsigmoid(-margin),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
