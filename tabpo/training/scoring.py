"""Per-token log-probs of completions: one forward, the output head only where a completion token is predicted."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from tabpo.losses import Side
from tabpo.training.head import token_kl, token_logps
from tabpo.training.models import autocast

STEP0_BAR = {"fp32": {"mean": 1e-5, "max": 1e-3}, "bf16": {"mean": 1e-2, "max": 1.0}}
"""How far policy and reference may be apart at step 0: |difference| per token, nats, mean and largest.

Batches of other rows and padding move scores. Measured on a CPU with 0.7 M parameters, before and after training:
nothing at all with eager attention; with SDPA at most 4e-5 and 0.044 in bf16, 1e-8 and 5e-6 in fp32. GPUs are
unmeasured, hence the room; SFT of another seed or ten steps later was 0.05 and 0.16 away on average, 10 at most.
"""


@dataclass(frozen=True)
class Scores:
    """What one forward pass tells of a batch on the grid of its completions, 0 outside the mask.

    Attributes:
        logps: (R, T) log-probs of the completion tokens, float32.
        token_kl: (R, T) KL(reference || policy) at the state that predicts each token; None without a reference.
        hidden_states: (R, T, H) that state, as the output head sees it, detached; None unless asked for.
    """

    logps: Tensor
    token_kl: Tensor | None
    hidden_states: Tensor | None


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
    return _scores(model, batch, numerics).logps


def score_pairs(
    model: nn.Module,
    batch: dict[str, Tensor],
    numerics: dict,
    needs: frozenset[str] = frozenset(),
    frozen: Callable[[], AbstractContextManager[nn.Module]] | None = None,
) -> tuple[Side, Side]:
    """Both sides of a batch of pairs with reference log-probs, ready for a loss; the policy's carry the gradient.

    Args:
        model: As for `completion_logps`.
        batch: From `collate_pairs`, with anchors if they are needed.
        numerics: As for `models.load_model`.
        needs: Of the loss; "token_kl", "hidden_states" and "anchor" are seen to here, others are not.
        frozen: Gives the reference model for as long as its context is open: another model, or the policy with its
            adapters off. For "token_kl" and the anchor's reference log-probs; scored first, in eval mode.

    Raises:
        FloatingPointError: A log-prob or KL is NaN or infinite.
    """
    reference, logits = None, None
    if frozen is not None:
        reference, logits = _frozen_scores(frozen, batch, numerics)
    scores = _scores(
        model, batch, numerics, logits if "token_kl" in needs else None, with_states="hidden_states" in needs
    )
    pairs = len(batch["reference_logps"]) // (3 if "anchor" in needs else 2)
    chosen, rejected = (_side(scores, batch, slice(first, first + pairs)) for first in (0, pairs))
    if "anchor" in needs:
        rows = slice(2 * pairs, 3 * pairs)
        anchor = replace(_side(scores, batch, rows), reference_logps=reference.logps[rows])
        chosen = replace(chosen, anchor=anchor)
    return chosen, rejected


def _side(scores: Scores, batch: dict[str, Tensor], rows: slice) -> Side:
    given = {name: batch[name][rows] for name in ("reference_logps", "completion_mask", "token_fields", "differs")}
    return Side(
        policy_logps=scores.logps[rows],
        token_kl=None if scores.token_kl is None else scores.token_kl[rows],
        hidden_states=None if scores.hidden_states is None else scores.hidden_states[rows],
        **given,
    )


@torch.no_grad()
def _frozen_scores(
    frozen: Callable[[], AbstractContextManager[nn.Module]], batch: dict[str, Tensor], numerics: dict
) -> tuple[Scores, Tensor]:
    """Scores and logits of the reference, in eval mode; the mode it came in is put back."""
    with frozen() as reference:
        training = reference.training
        reference.eval()
        kept: list[Tensor] = []
        scores = _scores(reference, batch, numerics, keep=kept)
        reference.train(training)
    return scores, kept[0]


def _scores(
    model: nn.Module,
    batch: dict[str, Tensor],
    numerics: dict,
    reference_logits: Tensor | None = None,
    with_states: bool = False,
    keep: list[Tensor] | None = None,
) -> Scores:
    mask = batch["completion_mask"]
    positions, targets = batch["predicts"], batch["completion_ids"][mask]
    seen: list[Tensor] = []

    def score(head: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
        states = hidden[positions]
        logits = head(states)
        if with_states:
            seen.append(states.detach())
        if keep is not None:
            keep.append(logits)
        logps = token_logps(logits, torch.arange(len(logits), device=logits.device), targets)
        return logps if reference_logits is None else torch.cat([logps, token_kl(logits, reference_logits)])

    with autocast(numerics, mask.device.type), _head_replaced(model, score):
        values = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    if not values.isfinite().all():
        raise FloatingPointError(f"{int((~values.isfinite()).sum())} of {len(values)} log-probs are NaN or infinite")
    logps, kl = values.split([len(targets), len(values) - len(targets)])
    return Scores(
        logps=logps.new_zeros(mask.shape).masked_scatter(mask, logps),
        token_kl=None if reference_logits is None else kl.new_zeros(mask.shape).masked_scatter(mask, kl),
        hidden_states=_scattered(seen[0], mask) if with_states else None,
    )


def _scattered(states: Tensor, mask: Tensor) -> Tensor:
    grid = states.new_zeros(*mask.shape, states.shape[-1])
    grid[mask] = states
    return grid


@contextmanager
def _head_replaced(model: nn.Module, score: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> Iterator[None]:
    """Let `score(head, hidden states)` stand for the output head, inside its module, where its weights are at hand."""
    while hasattr(model, "module"):  # DDP, DeepSpeed
        model = model.module
    head = model.get_output_embeddings()
    head.forward = partial(score, head.forward)
    try:
        yield
    finally:
        del head.forward  # the class's own again
