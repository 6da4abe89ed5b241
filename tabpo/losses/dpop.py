"""DPOP, DPO-Positive (Smaug, arXiv 2402.13228, equation 3): a penalty once the chosen answer loses likelihood."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """DPO with a penalty inside the sigmoid, in nats below the reference.

        S = sum_t log pi(y_t) - log ref(y_t)
        loss = -log sigmoid(beta * (S(chosen) - S(rejected) - lambda_ * max(0, -S(chosen))))

    Training starts on the kink: policy and reference are equal, so S(chosen) is 0. There the derivative is the
    one from below: the whole penalty pulls, (1 + lambda_) times DPO's gradient on chosen tokens, since the step
    that DPO would take is the one to be held back. So do the TAB-PO authors' runs (`clamp`); with `relu` the
    first step is DPO's, with `maximum` it has half of the penalty. Ports that put the penalty outside the
    sigmoid (as several public ones do) are another loss.

    Attributes:
        beta: Reward per nat of summed log-ratio.
        lambda_: Weight of the penalty; 0 gives back DPO exactly. The paper has 50, the TAB-PO authors 1.
    """

    beta: Positive = 0.3
    lambda_: NotNegative = 50.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.log_ratio_sum
        rejected_reward = self.beta * rejected.log_ratio_sum
        # The gradient of `clamp` at its bound is 1, that of `relu` 0.
        penalty = (-chosen_reward).clamp(min=0.0)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward - self.lambda_ * penalty),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
