"""CPO (arXiv 2401.08417, equations 3 to 5): DPO with a uniform reference, and the likelihood of the chosen answer."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side, masked_mean, masked_sum
from tabpo.losses._ranges import require_choice, require_positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the difference in summed log-prob, plus negative log-likelihood.

        loss = -log sigmoid(beta * (sum_t log pi(chosen_t) - sum_t log pi(rejected_t))) - N
        N = sum_t log pi(chosen_t),   or mean_t log pi(chosen_t) for nll "mean"

    The paper writes the sequence's log-likelihood, the sum. The authors' code and TRL average it over all
    completion tokens of the batch (TRL times `cpo_alpha`); "mean" is the same per pair, and equal to theirs
    where all completions are equally long.

    Attributes:
        beta: Reward per nat of summed log-prob, > 0.
        nll: "sum" or "mean" over the tokens of the chosen completion.
    """

    beta: float = 0.1
    nll: str = "sum"

    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_positive("cpo", beta=self.beta)
        require_choice("cpo", ("sum", "mean"), nll=self.nll)

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * masked_sum(chosen.policy_logps, chosen.completion_mask)
        rejected_reward = self.beta * masked_sum(rejected.policy_logps, rejected.completion_mask)
        likelihood = (masked_sum if self.nll == "sum" else masked_mean)(chosen.policy_logps, chosen.completion_mask)
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward) - likelihood,
            chosen_rewards=chosen_reward.detach(),
            rejected_rewards=rejected_reward.detach(),
        )
