"""DPO-Shift (arXiv 2502.07599): DPO with a weaker rejected reward, so that the chosen answer keeps its likelihood."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive, Range


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the margin with a share f of the rejected side.

        loss = -log sigmoid(beta * (S(chosen) - f * S(rejected))),   S = sum_t log pi(y_t) - log ref(y_t)

    f is the paper's f(lambda), `dpo_lambda` in the authors' code (Meaquadddd/DPO-Shift, commit 52eebac), whose recipes
    have 0.7. It is fixed here; that code can also move it linearly between 0.5 and 1 over the steps. Rewards are DPO's,
    so that margins compare.

    Attributes:
        beta: Reward per nat of summed log-ratio.
        f: Share of the rejected log-ratio; 1 gives back DPO.
    """

    beta: Positive = 0.1
    f: Annotated[float, Range("a number from 0.5 to 1", lambda share: 0.5 <= share <= 1)] = 0.7

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - self.f * rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
