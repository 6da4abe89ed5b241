"""The hinge of SLiC (arXiv 2305.10425, section 2) on DPO's margin: pairs that are told apart no longer count."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Linear in DPO's margin up to 1, and zero with no gradient from there on.

        loss = max(0, 1 - beta * (S(chosen) - S(rejected))),   S = sum_t log pi(y_t) - log ref(y_t)

    TRL's `hinge` is this loss. SLiC-HF itself has no reference, a margin in summed log-probs and a likelihood
    term on SFT targets.

    Attributes:
        beta: Reward per nat of summed log-ratio; pairs count until their margin is 1 / beta nats.
    """

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        return LossOutput(
            losses=(1 - (chosen_reward - rejected_reward)).relu(),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
