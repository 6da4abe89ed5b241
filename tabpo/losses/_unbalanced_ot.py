"""Unbalanced optimal transport between the tokens of two completions, batched over pairs."""

import math

import torch
from torch import Tensor

CHECKS = 100
CHECK_EVERY = 10
TOLERANCE = 1e-6
NEAR = 1e-2
"""If a squared distance is below this share of the states' squared norms, it is computed from their differences."""
SLICE = 2**19
"""Largest number of such differences that exist at a time."""


def pairwise_distances(chosen: Tensor, rejected: Tensor, valid: Tensor) -> Tensor:
    """Euclidean distances plus 1e-6, divided by the largest distance of the pair if it exceeds 1.

    Squared distances are computed as squared norms minus twice the inner product, which is fast but loses precision for
    similar states: in single precision two equal states would have 1 % of the largest distance. The distances of
    similar states are therefore computed again from their differences. Equal states then have the distance 0, and every
    other distance has a relative error of about 1e-5.

    Args:
        chosen: (B, T, H) states; any values outside the completion.
        rejected: (B, U, H) states; any values outside the completion.
        valid: (B, T, U) bool, true where both are completion tokens; only these determine the largest distance.

    Returns:
        (B, T, U) in the dtype of the states, at least float32; 0 where not valid.
    """
    dtype = torch.promote_types(chosen.dtype, torch.float32)
    chosen, rejected = chosen.to(dtype), rejected.to(dtype)
    left, right = (torch.linalg.vector_norm(side, dim=-1).square_() for side in (chosen, rejected))
    norms = left[:, :, None] + right[:, None, :]
    squares = torch.baddbmm(norms, chosen, rejected.mT, alpha=-2)
    near = (squares < norms.mul_(NEAR)).logical_and_(valid)
    rows, columns = (side.flatten(0, 1) for side in (chosen, rejected))
    for places in near.nonzero().split(max(1, SLICE // chosen.shape[-1])):
        pair, row, column = places.unbind(1)
        apart = rows.index_select(0, pair * chosen.shape[1] + row)
        apart.sub_(columns.index_select(0, pair * rejected.shape[1] + column))
        squares[pair, row, column] = torch.linalg.vector_norm(apart, dim=-1).square_()
    distances = squares.sqrt_().add_(1e-6).masked_fill_(~valid, 0.0)
    return distances.div_(distances.amax((1, 2), keepdim=True).clamp_(min=1.0))


def transported_mass(cost: Tensor, valid: Tensor, reg: float, reg_m: float) -> tuple[Tensor, Tensor]:
    """Mass that leaves each chosen token and mass that reaches each rejected token in the plan of lowest cost.

        minimise  sum G C + reg * sum G (log G - 1) + reg_m * (KL(G 1 || 1) + KL(G^T 1 || 1))

    The method is Sinkhorn's iteration on the two scalings (arXiv 1607.05816), which start from 1 and are stored as
    logs. The plan is computed from the scalings every 10 iterations and updated by their changes in between. If these
    changes could leave the range of the dtype, as for a small `reg`, the plan is computed in every iteration; it then
    neither overflows nor loses all mass of a row. As in POT, every 10th iteration checks the largest change of the left
    scaling, relative to the largest scaling. A pair whose change is at most 1e-6, or NaN, is not changed any more,
    independently of the other pairs. After 1,000 iterations all pairs stop.

    Args:
        cost: (B, T, U), from 0 to 1.
        valid: (B, T, U) bool, the outer product of the completion masks; other tokens have no mass.
        reg: Weight of the entropy, > 0.
        reg_m: Weight of the marginal constraints, whose target is mass 1 for each token, > 0.

    Returns:
        G 1, (B, T), and G^T 1, (B, U): 0 outside the completions.
    """
    rows, columns = valid.any(2), valid.any(1)
    kernel = (cost / -reg).masked_fill_(~valid, -math.inf)
    share = reg_m / (reg_m + reg)
    if _factors_stay_in_range(kernel, reg, share):
        per_plan = CHECK_EVERY
        left, right = torch.zeros_like(kernel[:, :, 0]), torch.zeros_like(kernel[:, 0])
    else:
        per_plan = 1
        left = -share * kernel.logsumexp(2).masked_fill(~rows, 0.0)
        right = -share * (kernel + left[:, :, None]).logsumexp(1).masked_fill(~columns, 0.0)
    running = torch.ones_like(rows[:, :1])
    for _ in range(CHECKS):
        new_left, new_right = left, right
        for _ in range(CHECK_EVERY // per_plan):
            plan, plan_left, plan_right = _plan(kernel, new_left, new_right), new_left, new_right
            for _ in range(per_plan):
                old_left = new_left
                leaving = torch.linalg.vecdot(plan, (new_right - plan_right).exp()[:, None, :])
                new_left = share * (plan_left - _log_mass(leaving, rows))
                reached = ((new_left - plan_left).exp()[:, None, :] @ plan).squeeze(1)
                new_right = share * (plan_right - _log_mass(reached, columns))
        left, right = torch.where(running, new_left, left), torch.where(running, new_right, right)
        running = running & (_relative_change(old_left, new_left) > TOLERANCE)
        if not running.any():
            break
    plan = _plan(kernel, left, right)
    return plan.sum(2), plan.sum(1)


def _factors_stay_in_range(kernel: Tensor, reg: float, share: float) -> bool:
    """Whether no scaling, entry of the plan or sum of entries can overflow or vanish, for any costs from 0 to 1.

    The updates new_left = -share * logsumexp(kernel + right), and accordingly for the right scaling, bound the logs of
    the scalings by `highest` from above and by -`lowest` from below.
    """
    terms = math.log(max(kernel.shape[1:]))
    highest = share * (1 / reg + share * terms) / (1 - share**2)
    lowest = share * (highest + terms)
    return 2 * max(highest, lowest) + 1 / reg + terms < -math.log(torch.finfo(kernel.dtype).tiny)


def _plan(kernel: Tensor, left: Tensor, right: Tensor) -> Tensor:
    return (kernel + left[:, :, None]).add_(right[:, None, :]).exp_()


def _log_mass(mass: Tensor, present: Tensor) -> Tensor:
    """Logs of masses, 0 for tokens outside; a smaller mass counts as the smallest normal number and ends up as 0."""
    return mass.clamp(min=torch.finfo(mass.dtype).tiny).log().masked_fill(~present, 0.0)


def _relative_change(old: Tensor, new: Tensor) -> Tensor:
    """Largest change of a scaling divided by the largest scaling (at least 1), (B, 1), from logs."""
    top = torch.maximum(old, new).amax(1, keepdim=True).clamp(min=0.0)
    return ((new - top).exp() - (old - top).exp()).abs().amax(1, keepdim=True)
