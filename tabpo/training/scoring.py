"""Per-token log-probs of completions: one forward, the output head only where a completion token is predicted."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tabpo.losses import Side
from tabpo.training.models import autocast

STEP0_BAR = {"fp32": {"mean": 1e-5, "max": 1e-3}, "bf16": {"mean": 1e-2, "max": 1.0}}
"""How far policy and reference may be apart at step 0: |difference| per token, nats, mean and largest.

Batches of other rows and padding move scores. Measured on a CPU with 0.7 M parameters, before and after training:
nothing at all with eager attention; with SDPA at most 4e-5 and 0.044 in bf16, 1e-8 and 5e-6 in fp32. GPUs are
unmeasured, hence the room; SFT of another seed or ten steps later was 0.05 and 0.16 away on average, 10 at most.
"""

_CHUNK_ELEMENTS = 2**24


def completion_logps(model: nn.Module, batch: dict[str, Tensor], numerics: dict) -> Tensor:
    """Log-probs of the completion tokens, (R, T) float32 on the left-aligned grid, 0 outside the mask.

    Calls `model` itself, so the hooks of DDP, DeepSpeed and peft fire; the mode (train, eval) and
    whether gradients are kept are the caller's.

    Args:
        model: A causal language model, wrapped or not.
        batch: From `collate`.
        numerics: As for `models.load_model`.

    Raises:
        FloatingPointError: A log-prob is NaN or infinite.
    """
    mask = batch["completion_mask"]
    with autocast(numerics, mask.device.type), _head_only_at(model, batch["predicts"]):
        logits = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False
        ).logits  # (completion tokens of all rows, V)
    logps = token_logps(logits, batch["completion_ids"][mask])
    if not logps.isfinite().all():
        raise FloatingPointError(f"{int((~logps.isfinite()).sum())} of {len(logps)} log-probs are NaN or infinite")
    return logps.new_zeros(mask.shape).masked_scatter(mask, logps)


def score_pairs(model: nn.Module, batch: dict[str, Tensor], numerics: dict) -> tuple[Side, Side]:
    """Both sides of a batch of pairs with reference log-probs, ready for a loss; the policy's carry the gradient."""
    values = {
        "policy_logps": completion_logps(model, batch, numerics),
        **{name: batch[name] for name in ("reference_logps", "completion_mask", "token_fields", "differs")},
    }
    pairs = len(batch["input_ids"]) // 2
    chosen = Side(**{name: value[:pairs] for name, value in values.items()})
    rejected = Side(**{name: value[pairs:] for name, value in values.items()})
    return chosen, rejected


def token_logps(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-softmax of (N, V) logits at (N,) targets, in float32 (float64 stays), a chunk of rows at a time."""
    return _TokenLogps.apply(logits, targets)


class _TokenLogps(torch.autograd.Function):
    """Keeps the logits as they are and takes the softmax again in backward, so no float32 copy of them lives on."""

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor) -> Tensor:
        ctx.save_for_backward(logits, targets)
        chunks = zip(_chunks(logits), _chunks(targets, like=logits), strict=True)
        logps = [_upcast(rows).log_softmax(-1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1) for rows, chosen in chunks]
        return torch.cat(logps)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        logits, targets = ctx.saved_tensors
        result = torch.empty_like(logits)
        parts = (_chunks(tensor, like=logits) for tensor in (logits, targets, gradient, result))
        for rows, chosen, upstream, out in zip(*parts, strict=True):
            softmax = _upcast(rows).softmax(-1)
            picked = torch.zeros_like(softmax).scatter_(-1, chosen.unsqueeze(-1), 1.0)
            out.copy_((picked - softmax) * upstream.unsqueeze(-1))
        return result, None


def _chunks(tensor: Tensor, like: Tensor | None = None) -> tuple[Tensor, ...]:
    vocabulary = (tensor if like is None else like).shape[-1]
    return tensor.split(max(1, _CHUNK_ELEMENTS // vocabulary))


def _upcast(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def _head_only_at(model: nn.Module, positions: Tensor) -> Iterator[None]:
    """Let the output head see only the hidden states at `positions`, (R, S) bool, row by row."""
    while hasattr(model, "module"):  # DDP, DeepSpeed
        model = model.module
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][positions],))
    try:
        yield
    finally:
        hook.remove()
