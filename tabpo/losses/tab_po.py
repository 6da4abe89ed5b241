"""TAB-PO (arXiv 2603.00025): DPO's margin and a confidence-gated barrier on the chosen tokens."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._gates import gate
from tabpo.losses._interface import LossOutput, Side, TokenField, masked_sum
from tabpo.losses._ranges import NotNegative, Positive, Probability


@dataclass(frozen=True)
class Loss:
    """Preference term plus lambda_ times the mean surprise of the chosen tokens below probability tau.

        advantage = sum_t w_t (log pi(y_t) - log ref(y_t));   / T for aggregate "mean"
        gate = [pi(chosen_t) < tau], a constant
        barrier = sum_t gate_t v_t (-log pi(chosen_t)) / max(1, sum_t gate_t v_t),   v = w or 1
        loss = -log sigmoid(beta * (advantage(chosen) - advantage(rejected))) + lambda_ * barrier

    Token weights w multiply the weight of the token's field and, where the sides differ,
    `difference_weight`; they are scaled to mean 1 within each completion. The defaults are the second
    version of the paper: sums, no weights. The authors' code is aggregate "mean", weighted_barrier true,
    beta 0.5, tau 0.66 and weights 1.1, 1.2, 1.1 and 1.2; it finds fields by searching the text and
    differences by index, where here a position in the JSON and an alignment of the tokens decide.

    Extensions of this project, none of them the paper's, all off by default: the gate on tokens of the schema alone
    (`gate_fields`), a tau that follows the completion (`tau` "mean"), and a soft gate (`gate_temperature`), which is
    sigmoid((log tau - log pi(chosen_t)) / gate_temperature), a constant too.

    Attributes:
        beta: Reward per nat of advantage.
        tau: Probability below which a chosen token is gated; at 1 every token is, those whose probability
            rounds to 1 too, and the unweighted barrier is RPO's likelihood term. Or "mean": the mean probability of
            the completion's tokens, whichever of them the gate is on, as ConfPO's selection has it.
        lambda_: Weight of the barrier; 0 without weights gives back DPO exactly.
        aggregate: "sum" or "mean" over the tokens of a completion.
        label_weight: Of tokens of labels (entity types, relation labels, codes).
        sublabel_weight: Of tokens of sub-codes.
        span_weight: Of tokens of spans.
        difference_weight: Factor on tokens that the other side lacks.
        weighted_barrier: Whether the barrier weighs its tokens too.
        gate_fields: "all" tokens can be gated, or "schema": those of labels, sub-codes and links.
        gate_temperature: Nats over which a soft gate opens; 0 is the hard one, which is also what is logged.
    """

    beta: Positive = 0.1
    tau: Probability | Literal["mean"] = 0.9
    lambda_: NotNegative = 0.5
    aggregate: Literal["sum", "mean"] = "sum"
    label_weight: Positive = 1.0
    sublabel_weight: Positive = 1.0
    span_weight: Positive = 1.0
    difference_weight: Positive = 1.0
    weighted_barrier: bool = False
    gate_fields: Literal["all", "schema"] = "all"
    gate_temperature: NotNegative = 0.0

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_weights, rejected_weights = self._token_weights(chosen), self._token_weights(rejected)
        chosen_reward = self.beta * self._advantage(chosen, chosen_weights)
        rejected_reward = self.beta * self._advantage(rejected, rejected_weights)

        gated, strength = gate(chosen, self.tau, self.gate_fields, self.gate_temperature)
        barrier_weights = strength * chosen_weights if self.weighted_barrier else strength
        surprise = -masked_sum(barrier_weights * chosen.policy_logps, chosen.completion_mask)
        barrier = surprise / barrier_weights.sum(-1).clamp(min=1.0)

        return LossOutput(
            losses=-F.logsigmoid(chosen_reward - rejected_reward) + self.lambda_ * barrier,
            chosen_rewards=chosen_reward,
            rejected_rewards=rejected_reward,
            gate=gated,
        )

    def _token_weights(self, side: Side) -> Tensor:
        """(B, T), mean 1 over each completion, 0 outside it."""
        weights = torch.ones_like(side.policy_logps)
        by_field = {
            TokenField.LABEL: self.label_weight,
            TokenField.SUBLABEL: self.sublabel_weight,
            TokenField.SPAN: self.span_weight,
        }
        for field, weight in by_field.items():
            weights = weights.masked_fill(side.token_fields == field, weight)
        weights = torch.where(side.differs, weights * self.difference_weight, weights)
        weights = weights.where(side.completion_mask, 0.0)
        return weights * side.lengths[:, None] / weights.sum(-1, keepdim=True)

    def _advantage(self, side: Side, weights: Tensor) -> Tensor:
        """Weighted log-ratio to the reference, (B,)."""
        total = (side.log_ratios * weights).sum(-1)
        return total / side.lengths if self.aggregate == "mean" else total
