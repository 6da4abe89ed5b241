"""Log-probs of tokens and KL from a reference, computed from the output head's logits in float32, block by block."""

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

_CHUNK_ELEMENTS = 2**26
"""Largest number of logits that exist at a time."""

_BLOCK_ELEMENTS = {"cpu": 2**20, "cuda": 2**24}
"""Number of logits in float32 at a time, by type of device: a CPU's cache holds so many, and a GPU is well occupied."""


def score_states(
    head: Callable[[Tensor], Tensor],
    hidden: Tensor,
    states: Tensor,
    targets: Tensor,
    reference_logits: Tensor | None,
    vocabulary: int,
) -> Tensor:
    """One vector: log-probs of the target tokens, (M,), then, with reference logits, the KL of each state, (K,).

    If the logits of all states exceed `_CHUNK_ELEMENTS`, they are computed one chunk at a time, and again in the
    backward pass. If they fit into one chunk, they are kept.

    Args:
        head: The output head: hidden states to logits.
        hidden: (K, H) states, each scored once.
        states: (M,) index of each target token's state, ascending.
        targets: (M,) the target tokens.
        reference_logits: (K, V), or None.
        vocabulary: V.
    """
    size = max(1, _CHUNK_ELEMENTS // vocabulary)
    if len(hidden) <= size:
        return torch.cat(_score(head, hidden, states, targets, reference_logits))
    starts = torch.arange(0, len(hidden), size, device=states.device)
    ends = torch.searchsorted(states, starts[1:]).tolist()
    parts = []
    for start, bounds in zip(range(0, len(hidden), size), itertools.pairwise([0, *ends, len(states)]), strict=True):
        rows, tokens = slice(start, start + size), slice(*bounds)
        reference = None if reference_logits is None else reference_logits[rows]
        arguments = (head, hidden[rows], states[tokens] - start, targets[tokens], reference)
        parts.append(checkpoint(_score, *arguments, use_reentrant=False))
    return torch.cat([part for kind in zip(*parts, strict=True) for part in kind])


def _score(
    head: Callable[[Tensor], Tensor], hidden: Tensor, states: Tensor, targets: Tensor, reference_logits: Tensor | None
) -> tuple[Tensor, ...]:
    logits = head(hidden)
    logps = token_logps(logits, states, targets)
    return (logps,) if reference_logits is None else (logps, token_kl(logits, reference_logits))


def token_logps(logits: Tensor, states: Tensor, targets: Tensor) -> Tensor:
    """Log-probs of the M target pairs, (M,), from the log-softmax in float32 (in float64 for float64 logits).

    Args:
        logits: (N, V), a row for each state.
        states: (M,) row of each target pair; no pair may come twice.
        targets: (M,) token of each target pair.
    """
    return _TokenLogps.apply(logits, states, targets)


def token_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(reference || policy) of each row, (N,) nats, in float32 (in float64 for float64 logits).

    The gradient flows to `logits` only.

    Args:
        logits: (N, V) logits of the policy.
        reference_logits: (N, V) logits of the reference.
    """
    return _TokenKl.apply(logits, reference_logits)


class _TokenLogps(torch.autograd.Function):
    """Keeps the logits in their dtype and computes the softmax again in backward, so that no float32 copy is kept."""

    @staticmethod
    def forward(ctx, logits: Tensor, states: Tensor, targets: Tensor) -> Tensor:
        norms = torch.cat([_upcast(logits[rows]).logsumexp(-1) for rows in _blocks(logits)])
        logps = _upcast(logits[states, targets]) - norms[states]
        ctx.save_for_backward(logits, states, targets, logps)
        return logps

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        logits, states, targets, logps = ctx.saved_tensors
        totals = upstream.new_zeros(len(logits)).index_put_((states,), upstream, accumulate=True)
        gradient = torch.empty_like(logits)
        for rows in _blocks(logits):
            gradient[rows] = _upcast(logits[rows]).softmax(-1).mul_(-totals[rows, None])
        gradient[states, targets] = (upstream - totals[states] * logps.exp()).to(gradient.dtype)
        return gradient, None, None


class _TokenKl(torch.autograd.Function):
    """Keeps both logits in their dtype; dKL/dlogits = softmax(logits) - softmax(reference)."""

    @staticmethod
    def forward(ctx, logits: Tensor, reference_logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits, reference_logits)
        parts = []
        for rows in _blocks(logits):
            reference = _upcast(reference_logits[rows]).log_softmax(-1)
            policy = _upcast(logits[rows]).log_softmax(-1)
            parts.append((reference.exp() * (reference - policy)).sum(-1))
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None]:
        logits, reference_logits = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for rows in _blocks(logits):
            apart = _upcast(logits[rows]).softmax(-1) - _upcast(reference_logits[rows]).softmax(-1)
            gradient[rows] = apart.mul_(upstream[rows, None])
        return gradient, None


def _blocks(logits: Tensor) -> Iterator[slice]:
    size = max(1, _BLOCK_ELEMENTS[logits.device.type] // logits.shape[-1])
    return (slice(start, start + size) for start in range(0, len(logits), size))


def _upcast(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
