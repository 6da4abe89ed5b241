"""Gates that select uncertain tokens of a policy by a threshold on their probability; they pass no gradient."""

import math

import torch
from torch import Tensor

from tabpo.losses._interface import Side, TokenField, masked_mean

SCHEMA_FIELDS = (TokenField.LABEL, TokenField.SUBLABEL, TokenField.LINK)
"""Fields whose values are chosen from the schema; spans are copied from the text, ids are counted."""


def log_mean_probability(side: Side) -> Tensor:
    """Log of the mean probability of a completion's tokens, (B, 1); exactly their log-prob if all are equal."""
    logps = side.policy_logps.detach()
    top = logps.where(side.completion_mask, -torch.inf).amax(-1, keepdim=True)
    return top + masked_mean((logps - top).exp(), side.completion_mask).log()[:, None]


def gate(side: Side, tau: float | str, fields: str, temperature: float) -> tuple[Tensor, Tensor]:
    """Tokens below a threshold, (B, T) bool, and the weight of each token, (B, T) from 0 to 1.

    Args:
        side: Its policy log-probs, mask and token fields are read.
        tau: The threshold as a probability in (0, 1], or "mean" for the mean probability of the completion.
        fields: "all" for all completion tokens, "schema" for the tokens of `SCHEMA_FIELDS`.
        temperature: At 0, tokens below the threshold have weight 1 and all others 0; above 0, the weight is
            sigmoid((log tau - log pi) / temperature).
    """
    eligible = side.completion_mask
    if fields == "schema":
        eligible = eligible & torch.isin(side.token_fields, side.token_fields.new_tensor(SCHEMA_FIELDS))
    below = _threshold(side, tau) - side.policy_logps.detach()
    gated = (below > 0) & eligible
    strength = gated.to(below.dtype) if temperature == 0 else torch.sigmoid(below / temperature).where(eligible, 0.0)
    return gated, strength


def _threshold(side: Side, tau: float | str) -> Tensor | float:
    if tau == "mean":
        return log_mean_probability(side)
    # A probability below 1 may round to 1.
    return math.log(tau) if tau < 1 else math.inf
