"""SePO (arXiv 2408.13518; equation number not confirmed): SimPO on the tokens that another DPO run selects."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive, Probability


@dataclass(frozen=True)
class Loss:
    """A margin between mean log-probs of the chosen tokens that DPO raised most and the rejected ones it lowered most.

        loss = -log sigmoid(gamma * (mean over top k of log pi(chosen) - mean over bottom k of log pi(rejected)))

    Tokens are ordered by the oracle's reward, log DPO(y_t) - log ref(y_t), where DPO is the policy that DPO trained on
    the pairs. Of T tokens floor(k * T) are selected, but at least one: the authors' code (SteveKGYang/SePO, commit
    82fab6c) leaves out answers under eight tokens instead. Of equal tokens the first is taken. The code has no gamma,
    which is 1 there; its value in the paper was not confirmed. The reference is not in the loss.

    Attributes:
        k: Share of the tokens that is selected on each side.
        gamma: Scale of the margin.
    """

    k: Probability = 0.3
    gamma: Positive = 1.0

    needs: ClassVar[frozenset[str]] = frozenset({"dpo_logps"})

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.gamma * self._mean_of_selected(chosen, chosen.dpo_log_ratios)
        rejected_reward = self.gamma * self._mean_of_selected(rejected, -rejected.dpo_log_ratios)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward),
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )

    def _mean_of_selected(self, side: Side, scores: Tensor) -> Tensor:
        order = scores.masked_fill(~side.completion_mask, float("-inf")).argsort(dim=-1, descending=True, stable=True)
        # k * T may be a rounding error below a whole number
        count = (self.k * side.lengths + 1e-9).floor().clamp(min=1)
        selected = order.argsort(-1) < count[:, None]  # (B, T)
        logps = side.policy_logps.where(side.completion_mask, 0.0)
        return (logps * selected).sum(-1) / selected.sum(-1)
