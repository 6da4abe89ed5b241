"""TGDPO (arXiv 2506.14574; equation number not confirmed): DPO guided by the token rewards of another DPO run."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """DPO's loss with a beta of each token, which grows with the guide's reward on one side and falls on the other.

        loss = -log sigmoid(sum_t beta f_t r_t (chosen) - sum_t beta f_t r_t (rejected)),   r_t = log pi - log ref
        f_t = 1 + alpha * beta * q_t (chosen),   f_t = 1 - alpha * beta * q_t (rejected),   q_t = log guide - log ref

    The guide is the policy that DPO trained on the pairs; q_t is constant. This is the form of the authors' code
    (dvlab-research/TGDPO, commit dd88982, `tgdpo/trainer.py`).

    Attributes:
        beta: Reward per nat of summed log-ratio.
        alpha: Strength of the guidance; 0 gives back DPO exactly.
    """

    beta: Positive = 0.1
    alpha: NotNegative = 0.5

    needs: ClassVar[frozenset[str]] = frozenset({"dpo_logps"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        strength = self.alpha * self.beta
        guided_chosen = ((1 + strength * chosen.dpo_log_ratios) * chosen.log_ratios).sum(-1)
        guided_rejected = ((1 - strength * rejected.dpo_log_ratios) * rejected.log_ratios).sum(-1)
        return LossOutput(
            losses=-F.logsigmoid(self.beta * (guided_chosen - guided_rejected)),
            chosen_rewards=self.beta * chosen.log_ratio_sum,
            rejected_rewards=self.beta * rejected.log_ratio_sum,
        )
