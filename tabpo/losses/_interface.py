"""Input and output of a loss; their shapes are stated here and nowhere else."""

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


FROM_FILES = frozenset({"token_weights", "dpo_logps", "reverse_dpo_logps"})
"""Fields of `Side` that are read from files and not computed in training."""


@dataclass(frozen=True)
class Side:
    """One side of B pairs on the shifted grid: position t scores completion token t.

    Masked positions may hold any value, including NaN. The sums and means below are taken over the completion tokens;
    masked positions change neither their values nor their gradients.

    Attributes:
        policy_logps: (B, T) log-probs of the completion tokens under the policy, nats; carries the gradient.
        reference_logps: (B, T) log-probs of the completion tokens under the frozen SFT model, nats; no gradient.
        completion_mask: (B, T) bool, true on completion tokens, the end-of-turn token included.
        token_fields: (B, T) int8, a `TokenField` each.
        differs: (B, T) bool, true on tokens without a counterpart on the other side, by token alignment.
        token_kl: (B, T) KL(reference || policy) over the vocabulary at each state; for losses that need "token_kl".
        hidden_states: (B, T, H) last-layer states that predict each token; for losses that need "hidden_states".
        importance: (B, T) token importances, no gradient; for losses that need "importance".
        baseline: (B, T) learnt state values; for losses that need "baseline".
        anchor: Sampled anchor completions of the pairs' prompts; for losses that need "anchor".
        dpo_logps: (B, T) log-probs of the completion tokens under a policy that another run trained by DPO, nats, no
            gradient; for losses that need "dpo_logps".
        reverse_dpo_logps: (B, T) the same of a policy that DPO trained on the pairs with their sides swapped; for
            losses that need "reverse_dpo_logps".
        token_weights: (B, T) weights of tokens that the data give, at least 0; for losses that need "token_weights".
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
    dpo_logps: Tensor | None = None
    reverse_dpo_logps: Tensor | None = None
    token_weights: Tensor | None = None

    @property
    def lengths(self) -> Tensor:
        """Number of completion tokens, (B,); at least the end-of-turn token, since nothing is truncated."""
        return self.completion_mask.sum(-1)

    @property
    def log_ratios(self) -> Tensor:
        """Token log-ratios log pi(y_t) - log ref(y_t), (B, T), nats; 0 outside the completion."""
        return (self.policy_logps - self.reference_logps).where(self.completion_mask, 0.0)

    @property
    def log_ratio_sum(self) -> Tensor:
        """Sum of the token log-ratios, (B,)."""
        return self.log_ratios.sum(-1)

    @property
    def mean_log_ratio(self) -> Tensor:
        """Mean of the token log-ratios, (B,)."""
        return self.log_ratio_sum / self.lengths

    @property
    def logp_sum(self) -> Tensor:
        """Log-probability of the completion under the policy, (B,)."""
        return masked_sum(self.policy_logps, self.completion_mask)

    @property
    def mean_logps(self) -> Tensor:
        """Mean log-probability of a token under the policy, (B,)."""
        return self.logp_sum / self.lengths

    @property
    def dpo_log_ratios(self) -> Tensor:
        """Token rewards of another DPO run, log DPO(y_t) - log ref(y_t), (B, T); for losses that need "dpo_logps"."""
        return (self.dpo_logps - self.reference_logps).where(self.completion_mask, 0.0)

    @property
    def token_kl_sum(self) -> Tensor:
        """Sequential KL(reference || policy), the sum of `token_kl`, (B,); for losses that need "token_kl"."""
        return masked_sum(self.token_kl, self.completion_mask)


@dataclass(frozen=True)
class LossOutput:
    """The output of a loss for B pairs.

    Attributes:
        losses: (B,) losses; training averages them over the pairs of the effective batch.
        chosen_rewards: (B,) implicit rewards for the logged margin and accuracy; they may carry a graph, which is
            dropped when they are logged.
        rejected_rewards: (B,) implicit rewards of the rejected side.
        gate: (B, T) bool, the chosen tokens that a barrier acts on; None for losses without a barrier.
    """

    losses: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor
    gate: Tensor | None = None


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum over tokens, (B,); masked positions change neither value nor gradient, even if they hold NaN."""
    return values.where(mask, 0.0).sum(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that the mask keeps, (B,); NaN if it keeps none."""
    return masked_sum(values, mask) / mask.sum(-1)
