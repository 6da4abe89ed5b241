"""What a loss is given and what it returns; shapes are stated here and nowhere else."""

from dataclasses import dataclass
from enum import IntEnum

from torch import Tensor


class TokenField(IntEnum):
    """Which part of the JSON answer a completion token belongs to, by its position in the JSON."""

    SCAFFOLDING = 0
    LABEL = 1
    SUBLABEL = 2
    SPAN = 3
    LINK = 4
    ID = 5


@dataclass(frozen=True)
class Side:
    """One side of B pairs on the shifted grid: position t scores completion token t.

    Masked positions may hold anything, NaN included.

    Attributes:
        policy_logps: (B, T) log-probs of the completion tokens under the policy, nats; carries the gradient.
        reference_logps: (B, T) the same under the frozen SFT model, no gradient.
        completion_mask: (B, T) bool, true on completion tokens, the end-of-turn token included.
        token_fields: (B, T) int8, a `TokenField` each.
        differs: (B, T) bool, true on tokens that the other side lacks, by token alignment.
        token_kl: (B, T) KL(reference || policy) over the vocabulary at each state; losses that need "token_kl".
        hidden_states: (B, T, H) last-layer states that predict each token; losses that need "hidden_states".
        importance: (B, T) token importances, no gradient; losses that need "importance".
        baseline: (B, T) learnt state values; losses that need "baseline".
        anchor: The sampled anchor completions of the same prompts; losses that need "anchor".
    """

    policy_logps: Tensor
    reference_logps: Tensor
    completion_mask: Tensor
    token_fields: Tensor
    differs: Tensor
    token_kl: Tensor | None = None
    hidden_states: Tensor | None = None
    importance: Tensor | None = None
    baseline: Tensor | None = None
    anchor: "Side | None" = None


@dataclass(frozen=True)
class LossOutput:
    """What a loss returns for B pairs.

    Attributes:
        losses: (B,) to be averaged over the pairs of the effective batch.
        chosen_rewards: (B,) implicit rewards, detached, for margin and accuracy.
        rejected_rewards: (B,) the same of the other side.
        gate: (B, T) bool, chosen tokens that a barrier acts on; None for losses without one.
    """

    losses: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor
    gate: Tensor | None = None


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum over tokens, (B,): masked positions reach neither value nor gradient, NaN included."""
    return values.where(mask, 0.0).sum(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over completion tokens, (B,); every row has at least its end-of-turn token, since nothing is truncated."""
    return masked_sum(values, mask) / mask.sum(-1)
