"""Unbalanced optimal transport between the tokens of two completions, batched over pairs, in the log domain."""

import math

import torch
from torch import Tensor

MAX_ITERATIONS = 1000
CHECK_EVERY = 10
TOLERANCE = 1e-6
SLICE = 256
"""Of the hidden size that is in double precision at a time."""


def pairwise_distances(chosen: Tensor, rejected: Tensor, valid: Tensor) -> Tensor:
    """Euclidean distances plus 1e-6, over their largest one where that exceeds 1.

    Summed in double precision: the difference of squares that makes it fast would otherwise put equal states
    apart, by 1 % of the largest distance in single precision. Distances below a millionth of the states' norms
    are zero, so that equal states have the same distance in a batch of any shape.

    Args:
        chosen: (B, T, H) states, zero outside the completion.
        rejected: (B, U, H) likewise.
        valid: (B, T, U) bool, true where both are tokens of a completion; only these set the largest distance.

    Returns:
        (B, T, U) in the dtype of the states, at least float32; 0 where not valid.
    """
    products = torch.zeros(valid.shape, dtype=torch.float64, device=valid.device)
    for left, right in zip(chosen.split(SLICE, -1), rejected.split(SLICE, -1), strict=True):
        products.baddbmm_(left.double(), right.double().mT)
    left, right = (torch.linalg.vector_norm(side, dim=-1, dtype=torch.float64).square() for side in (chosen, rejected))
    norms = left[:, :, None] + right[:, None, :]
    squares = products.mul_(-2).add_(norms)
    squares = squares.masked_fill_(squares <= norms.mul_(1e-12), 0.0)
    dtype = torch.promote_types(chosen.dtype, torch.float32)
    distances = squares.to(dtype).sqrt_().add_(1e-6).masked_fill_(~valid, 0.0)
    return distances.div_(distances.amax((1, 2), keepdim=True).clamp(min=1.0))


def transported_mass(cost: Tensor, valid: Tensor, reg: float, reg_m: float) -> tuple[Tensor, Tensor]:
    """Mass that leaves each chosen token and reaches each rejected one in the plan of lowest cost.

        minimise  sum G C + reg * sum G (log G - 1) + reg_m * (KL(G 1 || 1) + KL(G^T 1 || 1))

    Sinkhorn's iteration on the logs of the two scalings (arXiv 1607.05816), started from 0. The plan is made anew
    from these logs in each iteration, and a scaling changed by its marginal: no power of exp(-cost / reg) is ever
    kept, so that a small `reg` neither overflows nor empties a row. As in POT, each 10th iteration looks
    for the largest change of the left scaling, relative to the largest scaling; a pair in which it is at most 1e-6, or
    NaN, stays as it is from then on, whatever the other pairs still do. After 1,000 iterations all stay as they are.

    Args:
        cost: (B, T, U), finite.
        valid: (B, T, U) bool, the outer product of the completion masks; other tokens have no mass.
        reg: Weight of the entropy, > 0.
        reg_m: Weight of the marginals, which are asked to be 1 for each token, > 0.

    Returns:
        G 1, (B, T), and G^T 1, (B, U): 0 outside the completions.
    """
    rows, columns = valid.any(2), valid.any(1)
    kernel = (-cost / reg).masked_fill(~valid, -math.inf)
    share = reg_m / (reg_m + reg)
    left = -share * kernel.logsumexp(2).masked_fill(~rows, 0.0)
    right = -share * (kernel + left[:, :, None]).logsumexp(1).masked_fill(~columns, 0.0)
    running = torch.ones_like(left[:, :1], dtype=torch.bool)
    for iteration in range(1, MAX_ITERATIONS):
        plan = _plan(kernel, left, right)
        new_left = share * (left - _log_mass(plan.sum(2), rows))
        reached = ((new_left - left).exp()[:, None, :] @ plan).squeeze(1)
        new_right = share * (right - _log_mass(reached, columns))
        change = _relative_change(left, new_left)
        left, right = torch.where(running, new_left, left), torch.where(running, new_right, right)
        if iteration % CHECK_EVERY == 0:
            running = running & (change > TOLERANCE)
            if not running.any():
                break
    plan = _plan(kernel, left, right)
    return plan.sum(2), plan.sum(1)


def _plan(kernel: Tensor, left: Tensor, right: Tensor) -> Tensor:
    return (kernel + left[:, :, None]).add_(right[:, None, :]).exp_()


def _log_mass(mass: Tensor, present: Tensor) -> Tensor:
    """Logs, 0 for tokens outside; masses below the smallest normal number count as that, and come out as 0."""
    return mass.clamp(min=torch.finfo(mass.dtype).tiny).log().masked_fill(~present, 0.0)


def _relative_change(old: Tensor, new: Tensor) -> Tensor:
    """Largest change of a scaling over the largest scaling, at least 1: (B, 1), from logs."""
    top = torch.maximum(old, new).amax(1, keepdim=True).clamp(min=0.0)
    return ((new - top).exp() - (old - top).exp()).abs().amax(1, keepdim=True)
