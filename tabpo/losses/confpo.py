"""ConfPO (arXiv 2506.08712): SimPO on the tokens whose probability is below the mean of their completion."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._gates import log_mean_probability
from tabpo.losses._interface import LossOutput, Side, masked_sum
from tabpo.losses._ranges import NotNegative, Positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the difference in mean log-prob over selected tokens, less a target margin; no reference.

        selected = [pi(y_t) < mean_t pi(y_t)], a constant, each side by its own mean
        R = mean over selected tokens of log pi(y_t)
        loss = -log sigmoid(beta * (R(chosen) - R(rejected)) - gamma)

    A pair in which either side has no selected token, as one-token completions never have, has loss 0 and no
    gradient, and a reward of 0 on that side. Selection compares log-probs with the log of the mean probability, as
    the authors' code (commit 40896cc) does; here equal tokens are never selected, where rounding decides there.

    Attributes:
        beta: Reward per nat of mean log-prob of selected tokens.
        gamma: Target margin in reward, subtracted as it is.
    """

    beta: Positive = 1.5
    gamma: NotNegative = 1.6

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_selected, rejected_selected = _selected(chosen), _selected(rejected)
        chosen_reward = self.beta * _selected_mean(chosen, chosen_selected)
        rejected_reward = self.beta * _selected_mean(rejected, rejected_selected)
        counts = chosen_selected.any(-1) & rejected_selected.any(-1)
        return LossOutput(
            # A product, not a choice: a NaN on either side stops the run.
            losses=-F.logsigmoid(chosen_reward - rejected_reward - self.gamma) * counts,
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )


def _selected(side: Side) -> Tensor:
    """(B, T), without gradient; a NaN is selected."""
    return ~(side.policy_logps.detach() >= log_mean_probability(side)) & side.completion_mask


def _selected_mean(side: Side, selected: Tensor) -> Tensor:
    """Mean log-prob of the selected tokens, (B,), 0 where there is none."""
    return masked_sum(side.policy_logps, selected) / selected.sum(-1).clamp(min=1)
