"""The hinge of SLiC (arXiv 2305.10425, section 2) on DPO's margin: pairs that are told apart no longer count."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import require_positive


@dataclass(frozen=True)
class Loss:
    """Linear in DPO's margin up to 1, and zero with no gradient from there on.

        loss = max(0, 1 - beta * (S(chosen) - S(rejected))),   S = sum_t log pi(y_t) - log ref(y_t)

    TRL's `hinge` is this loss. SLiC-HF itself has no reference, a margin in summed log-probs and a likelihood
    term on SFT targets.

    Attributes:
        beta: Reward per nat of summed log-ratio, > 0; pairs count until their margin is 1 / beta nats.
    """

    beta: float = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("hinge", beta=self.beta)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps - chosen.reference_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(
            rejected.policy_logps - rejected.reference_logps, rejected.completion_mask
        )
        return LossOutput(
            losses=(1 - (chosen_reward - rejected_reward)).relu(),
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
