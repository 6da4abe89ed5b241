"""CPO (arXiv 2401.08417, equation 3, and 4 and 5, numbers not confirmed): DPO without reference, and likelihood."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """Logistic loss of the difference in summed log-prob, plus negative log-likelihood.

        loss = -log sigmoid(beta * (sum_t log pi(chosen_t) - sum_t log pi(rejected_t))) - N
        N = sum_t log pi(chosen_t),   or mean_t log pi(chosen_t) for nll "mean"

    The paper writes the sequence's log-likelihood, the sum. The authors' code and TRL average it over all
    completion tokens of the batch (TRL times `cpo_alpha`); "mean" is the same per pair, and equal to theirs
    where all completions are equally long.

    Attributes:
        beta: Reward per nat of summed log-prob.
        nll: "sum" or "mean" over the tokens of the chosen completion.
    """

    beta: Positive = 0.1
    nll: Literal["sum", "mean"] = "sum"

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_reward = self.beta * chosen.logp_sum
        rejected_reward = self.beta * rejected.logp_sum
        likelihood = chosen.logp_sum if self.nll == "sum" else chosen.mean_logps
        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward) - likelihood,
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
        )
