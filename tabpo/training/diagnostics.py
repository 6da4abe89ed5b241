"""Logged quantities of a preference training step, as sums and counts that add up over micro-batches and processes."""

import math

import torch
from torch import Tensor

from tabpo.losses import LossOutput, Side

SUMS = (
    "pairs",
    "loss",
    "margin",
    "accurate",
    "chosen_logp",
    "rejected_logp",
    "chosen_drift",
    "rejected_drift",
    "chosen_tokens",
    "gated",
    "gradient_edited",
    "gradient_prefix",
    "gradient_tail",
    "edited_tokens",
    "edited_drift",
    "shared_tokens",
    "shared_drift",
)
"""Names of the elements of `pair_sums`, in order."""

DEFAULT_TAU = 0.9
"""Threshold of TAB-PO's gate by default. Its rate is logged for losses without a gate, and it defines unsure tokens."""


def pair_sums(output: LossOutput, chosen: Side, rejected: Side, completion_ids: Tensor) -> Tensor:
    """Sums over the pairs of a micro-batch, float64, in the order of `SUMS`; add them over micro-batches and processes.

    A pair counts as accurate if its margin is above 0, and a margin of 0 counts half, as in `metrics.ranking`: a policy
    that equals its reference has an accuracy of 0.5, which is chance.

    The gradients of the loss are computed with respect to the log-probs of both sides; the graph is kept for the
    backward pass of training. The gradient shares are exact for losses that read only log-probs: gradients that flow
    through KLs, baselines or anchors are not included.

    Args:
        output: Output of the loss for these sides.
        chosen: The chosen side that the loss has read.
        rejected: The rejected side that the loss has read.
        completion_ids: From `collate_pairs`, (2B, T), or more rows if there are anchors.
    """
    gradients = torch.autograd.grad(
        output.losses.sum(),
        (chosen.policy_logps, rejected.policy_logps),
        retain_graph=True,
        materialize_grads=True,
    )
    margins = output.chosen_rewards - output.rejected_rewards
    gate = output.gate
    if gate is None:
        gate = (chosen.policy_logps < math.log(DEFAULT_TAU)) & chosen.completion_mask
    edited, shared = chosen.completion_mask & chosen.differs, chosen.completion_mask & ~chosen.differs
    drift = chosen.policy_logps - chosen.reference_logps
    values = (
        torch.ones_like(margins),
        output.losses,
        margins,
        (1 + margins.sign()) / 2,
        chosen.policy_logps[chosen.completion_mask],
        rejected.policy_logps[rejected.completion_mask],
        drift[chosen.completion_mask],
        (rejected.policy_logps - rejected.reference_logps)[rejected.completion_mask],
        chosen.completion_mask,
        gate,
        *gradient_norms(chosen, rejected, *gradients, completion_ids[: 2 * len(margins)]),
        edited,
        drift[edited],
        shared,
        drift[shared],
    )
    return torch.stack([value.detach().double().sum() for value in values])


def gradient_norms(
    chosen: Side, rejected: Side, chosen_gradient: Tensor, rejected_gradient: Tensor, completion_ids: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """L1 norms of dLoss/dlogits on edited tokens, shared prefix and shared tail, (B,) each, from dLoss/dlogp.

    A state that scores token y with gradient g has dLoss/dlogits = g (e_y - p), whose L1 norm is 2 |g| (1 - p_y). Up
    to the first differing token, inclusive, both sides are in the same state, so their gradients are added before the
    norm is taken. If both score y, the norm is 2 |g + h| (1 - p_y). At the first difference they score y and z; with
    G = g + h the norm is |g - G p_y| + |h - G p_z| + |G| (1 - p_y - p_z), and it counts as edited. The norms are exact
    for losses that read only log-probs, on a model without dropout.

    Args:
        chosen: The probabilities p come from its `policy_logps`.
        rejected: The probabilities of the rejected tokens come from its `policy_logps`.
        chosen_gradient: (B, T) dLoss/dlogp of the chosen side, 0 outside its mask.
        rejected_gradient: (B, T) dLoss/dlogp of the rejected side, 0 outside its mask.
        completion_ids: (2B, T), chosen rows first.
    """
    chosen_ids, rejected_ids = completion_ids.chunk(2)
    prefix = (chosen_ids == rejected_ids).cumprod(-1).bool()  # neither answer is a prefix of the other
    first_edit = (~prefix).cumsum(-1) == 1

    g, h = chosen_gradient, rejected_gradient
    p = chosen.policy_logps.detach().exp()
    q = rejected.policy_logps.detach().exp()
    both = g + h
    at_prefix = 2 * both.abs() * (1 - p)
    at_first_edit = (g - both * p).abs() + (h - both * q).abs() + both.abs() * (1 - p - q)

    edited, tail = at_first_edit.where(first_edit, 0.0), torch.zeros_like(p)
    for side, gradient, probability in ((chosen, g, p), (rejected, h, q)):
        after = (2 * gradient.abs() * (1 - probability)).where(side.completion_mask & ~prefix & ~first_edit, 0.0)
        edited = edited + after.where(side.differs, 0.0)
        tail = tail + after.where(~side.differs, 0.0)
    return edited.sum(-1), at_prefix.where(prefix, 0.0).sum(-1), tail.sum(-1)


def step_quantities(sums: Tensor) -> dict[str, float | None]:
    """Fields of `records.TrainingStep` from a step's total of `pair_sums`; None if nothing was counted."""
    total = dict(zip(SUMS, sums.tolist(), strict=True))
    gradient = total["gradient_edited"] + total["gradient_prefix"] + total["gradient_tail"]
    return {
        "loss": total["loss"] / total["pairs"],
        "margin": total["margin"] / total["pairs"],
        "accuracy": total["accurate"] / total["pairs"],
        "chosen_logp": total["chosen_logp"] / total["pairs"],
        "rejected_logp": total["rejected_logp"] / total["pairs"],
        "chosen_drift": total["chosen_drift"] / total["pairs"],
        "rejected_drift": total["rejected_drift"] / total["pairs"],
        "gate_rate": total["gated"] / total["chosen_tokens"],
        "share_edited": _ratio(total["gradient_edited"], gradient),
        "share_prefix": _ratio(total["gradient_prefix"], gradient),
        "share_tail": _ratio(total["gradient_tail"], gradient),
        "drift_edited": _ratio(total["edited_drift"], total["edited_tokens"]),
        "drift_shared": _ratio(total["shared_drift"], total["shared_tokens"]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
