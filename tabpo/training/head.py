"""What is read off an output head's logits: log-probs of tokens and KL from a reference, in float32, chunk by chunk."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK_ELEMENTS = 2**24


def token_logps(logits: Tensor, states: Tensor, targets: Tensor) -> Tensor:
    """Log-softmax of (N, V) logits at the (M,) pairs of a state and a target token, in float32 (float64 stays).

    Args:
        logits: A row for each state.
        states: Row of each pair; no pair may come twice.
        targets: Token of each pair.
    """
    return _TokenLogps.apply(logits, states, targets)


def token_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(reference || policy) of each row, (N,) nats, in float32 (float64 stays); the gradient flows to `logits`.

    Args:
        logits: (N, V) of the policy.
        reference_logits: (N, V) of the reference.
    """
    return _TokenKl.apply(logits, reference_logits)


class _TokenLogps(torch.autograd.Function):
    """Keeps the logits as they are and takes the softmax again in backward, so no float32 copy of them lives on."""

    @staticmethod
    def forward(ctx, logits: Tensor, states: Tensor, targets: Tensor) -> Tensor:
        norms = torch.cat([_upcast(logits[rows]).logsumexp(-1) for rows in _chunks(logits)])
        logps = _upcast(logits[states, targets]) - norms[states]
        ctx.save_for_backward(logits, norms, states, targets, logps)
        return logps

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        logits, norms, states, targets, logps = ctx.saved_tensors
        totals = torch.zeros_like(norms).index_put_((states,), upstream, accumulate=True)
        gradient = torch.empty_like(logits)
        for rows in _chunks(logits):
            softmax = (_upcast(logits[rows]) - norms[rows, None]).exp_()
            gradient[rows] = softmax.mul_(-totals[rows, None])
        gradient[states, targets] = (upstream - totals[states] * logps.exp()).to(gradient.dtype)
        return gradient, None, None


class _TokenKl(torch.autograd.Function):
    """Keeps both logits as they are; dKL/dlogits = softmax(logits) - softmax(reference)."""

    @staticmethod
    def forward(ctx, logits: Tensor, reference_logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits, reference_logits)
        parts = []
        for rows in _chunks(logits):
            reference = _upcast(reference_logits[rows]).log_softmax(-1)
            policy = _upcast(logits[rows]).log_softmax(-1)
            parts.append((reference.exp() * (reference - policy)).sum(-1))
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None]:
        logits, reference_logits = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for rows in _chunks(logits):
            apart = _upcast(logits[rows]).softmax(-1) - _upcast(reference_logits[rows]).softmax(-1)
            gradient[rows] = apart.mul_(upstream[rows, None])
        return gradient, None


def _chunks(logits: Tensor) -> Iterator[slice]:
    size = max(1, _CHUNK_ELEMENTS // logits.shape[-1])
    return (slice(start, start + size) for start in range(0, len(logits), size))


def _upcast(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
