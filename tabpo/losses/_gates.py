"""Which tokens a policy is unsure of, by a threshold on their probability; nothing here passes a gradient."""

import math

import torch
from torch import Tensor

from tabpo.losses._interface import Side, TokenField, masked_mean

SCHEMA_FIELDS = (TokenField.LABEL, TokenField.SUBLABEL, TokenField.LINK)
"""What an answer decides by the schema; spans are copied from the text, ids counted, and the rest is scaffolding."""


def log_mean_probability(side: Side) -> Tensor:
    """Log of the mean probability of a completion's tokens, (B, 1); of equal tokens exactly their log-prob."""
    logps = side.policy_logps.detach()
    top = logps.where(side.completion_mask, -torch.inf).amax(-1, keepdim=True)
    return top + masked_mean((logps - top).exp(), side.completion_mask).log()[:, None]


def gate(side: Side, tau: float | str, fields: str, temperature: float) -> tuple[Tensor, Tensor]:
    """Tokens below a threshold, (B, T) bool, and how much each token is to count, (B, T) from 0 to 1.

    Args:
        side: Its policy, mask and token fields are read.
        tau: The threshold as a probability, in (0, 1], or "mean": that of the completion.
        fields: "all" completion tokens, or those of `SCHEMA_FIELDS`.
        temperature: At 0 those below count 1 and the others 0; above, sigmoid((log tau - log pi) / temperature).
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
