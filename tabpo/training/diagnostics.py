"""What a step of preference training logs, as sums and counts, so that micro-batches and processes add up exactly."""

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
"""What `pair_sums` holds, in order."""

DEFAULT_TAU = 0.9
"""Gate whose rate is logged for losses that have none."""


def pair_sums(output: LossOutput, chosen: Side, rejected: Side, completion_ids: Tensor) -> Tensor:
    """Sums over the pairs of a micro-batch, float64, in the order of `SUMS`; add them over micro-batches and processes.

    Gradients are taken of the loss as it is, with respect to the log-probs of both sides; the graph is kept for the
    training's own backward pass. What a loss passes on by other ways (through KLs, baselines or anchors) is not in
    the gradient shares, which are exact for losses that read log-probs alone.

    Args:
        output: What the loss returned for these sides.
        chosen: As the loss was given it.
        rejected: Likewise.
        completion_ids: From `collate_pairs`, (2B, T), or more rows where there are anchors.
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
        margins > 0,
        chosen.policy_logps[chosen.completion_mask],
        rejected.policy_logps[rejected.completion_mask],
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

    A state that scores token y with gradient g has dLoss/dlogits = g (e_y - p), whose L1 norm is
    2 |g| (1 - p_y). Up to and with the first differing token both sides are in the same state, so their
    gradients add before the norm is taken. Where both score y that is 2 |g + h| (1 - p_y); at the first
    difference, where they score y and z with G = g + h, it is |g - G p_y| + |h - G p_z| + |G| (1 - p_y - p_z),
    and counts as edited. Exact for losses that read log-probs alone, on a model without dropout.

    Args:
        chosen: Its `policy_logps` give p.
        rejected: Likewise.
        chosen_gradient: (B, T) dLoss/dlogp of the chosen side, 0 outside its mask.
        rejected_gradient: The same of the rejected side.
        completion_ids: (2B, T), chosen rows first.
    """
    chosen_ids, rejected_ids = completion_ids.chunk(2)
    prefix = (chosen_ids == rejected_ids).cumprod(-1).bool()  # ends within both: neither answer begins the other
    branch = (~prefix).cumsum(-1) == 1

    g, h = chosen_gradient, rejected_gradient
    p = chosen.policy_logps.detach().exp()
    q = rejected.policy_logps.detach().exp()
    both = g + h
    at_prefix = 2 * both.abs() * (1 - p)
    at_branch = (g - both * p).abs() + (h - both * q).abs() + both.abs() * (1 - p - q)

    edited, tail = at_branch.where(branch, 0.0), torch.zeros_like(p)
    for side, gradient, probability in ((chosen, g, p), (rejected, h, q)):
        own = (2 * gradient.abs() * (1 - probability)).where(side.completion_mask & ~prefix & ~branch, 0.0)
        edited = edited + own.where(side.differs, 0.0)
        tail = tail + own.where(~side.differs, 0.0)
    return edited.sum(-1), at_prefix.where(prefix, 0.0).sum(-1), tail.sum(-1)


def step_quantities(sums: Tensor) -> dict[str, float | None]:
    """The fields of `records.TrainingStep` that a step's total of `pair_sums` gives; None where nothing was counted."""
    total = dict(zip(SUMS, sums.tolist(), strict=True))
    gradient = total["gradient_edited"] + total["gradient_prefix"] + total["gradient_tail"]
    return {
        "loss": total["loss"] / total["pairs"],
        "margin": total["margin"] / total["pairs"],
        "accuracy": total["accurate"] / total["pairs"],
        "chosen_logp": total["chosen_logp"] / total["pairs"],
        "rejected_logp": total["rejected_logp"] / total["pairs"],
        "gate_rate": total["gated"] / total["chosen_tokens"],
        "share_edited": _ratio(total["gradient_edited"], gradient),
        "share_prefix": _ratio(total["gradient_prefix"], gradient),
        "share_tail": _ratio(total["gradient_tail"], gradient),
        "drift_edited": _ratio(total["edited_drift"], total["edited_tokens"]),
        "drift_shared": _ratio(total["shared_drift"], total["shared_tokens"]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
