"""Per-token log-probs of completions: one forward, the output head only where a completion token is predicted."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from tabpo.errors import ConfigError
from tabpo.losses import Side
from tabpo.models.loading import autocast
from tabpo.scoring.attention import FAMILIES, Forest, let_read_trees, unwrapped
from tabpo.scoring.collate import Batch
from tabpo.scoring.logits import score_states, token_logps

STEP0_BAR = {"fp32": {"mean": 1e-5, "max": 1e-3}, "bf16": {"mean": 1e-2, "max": 1.0}}
"""How far policy and reference may be apart at step 0: |difference| per token, nats, mean and largest.

A completion is read with its own trunk whatever else is in the batch. Measured on a CPU with 0.7 M parameters, before
and after training, one to four negatives, references in batches of 16 pairs and policy in batches of 3 others: nothing
at all, in fp32 and bf16, with eager attention and SDPA. GPUs, whose kernels go by the size of a batch, are unmeasured,
hence the room; SFT of another seed or ten steps later was 0.05 and 0.16 away on average, 10 at most.
"""


@dataclass(frozen=True)
class _Scores:
    """What one forward pass tells of a batch on the grid of its completions, 0 outside the mask.

    Attributes:
        logps: (R, T) log-probs of the completion tokens, float32.
        token_kl: (R, T) KL(reference || policy) at the state that predicts each token; None without a reference.
        hidden_states: (R, T, H) that state, as the output head sees it, detached; None unless asked for.
        logits: (K, V) of the scored states; None unless asked for.
    """

    logps: Tensor
    token_kl: Tensor | None
    hidden_states: Tensor | None
    logits: Tensor | None


def completion_logps(model: nn.Module, batch: Batch, numerics: dict) -> Tensor:
    """Log-probs of the completion tokens, (R, T) float32 on the left-aligned grid, 0 outside the mask.

    Calls `model` itself, so the hooks of DDP, DeepSpeed and peft fire; the mode (train, eval) and
    whether gradients are kept are the caller's.

    Args:
        model: A causal language model, wrapped or not.
        batch: From `collate`.
        numerics: As for `models.load_model`.

    Raises:
        FloatingPointError: A log-prob is NaN or infinite.
        ConfigError: An architecture that scales or caps the logits of its output head.
    """
    return _forward(model, batch, numerics).logps


def score_pairs(
    model: nn.Module,
    batch: Batch,
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
            adapters off. For "token_kl" and the anchor's reference log-probs; scored first, in eval mode. Its logits
            of all scored states are kept for the KL, in the activations' dtype.

    Raises:
        FloatingPointError: A log-prob or KL is NaN or infinite.
        ConfigError: As `completion_logps`.
    """
    with_kl, with_anchor = "token_kl" in needs, "anchor" in needs
    reference = None if frozen is None else _frozen_pass(frozen, batch, numerics, with_kl)
    scores = _forward(
        model, batch, numerics, reference.logits if with_kl else None, with_states="hidden_states" in needs
    )
    pairs = len(batch["completion_mask"]) // (3 if with_anchor else 2)
    chosen, rejected = (_side(scores, batch, slice(first, first + pairs)) for first in (0, pairs))
    if with_anchor:
        rows = slice(2 * pairs, 3 * pairs)
        chosen = replace(chosen, anchor=replace(_side(scores, batch, rows), reference_logps=reference.logps[rows]))
    return chosen, rejected


def _side(scores: _Scores, batch: Batch, rows: slice) -> Side:
    given = {name: batch[name][rows] for name in ("reference_logps", "completion_mask", "token_fields", "differs")}
    return Side(
        policy_logps=scores.logps[rows],
        token_kl=None if scores.token_kl is None else scores.token_kl[rows],
        hidden_states=None if scores.hidden_states is None else scores.hidden_states[rows],
        **given,
    )


@torch.no_grad()
def _frozen_pass(
    frozen: Callable[[], AbstractContextManager[nn.Module]], batch: Batch, numerics: dict, with_logits: bool
) -> _Scores:
    """Scores of the reference, in eval mode; the mode it came in is put back."""
    with frozen() as reference:
        training = reference.training
        reference.eval()
        scores = _forward(reference, batch, numerics, with_logits=with_logits)
        reference.train(training)
    return scores


def _forward(
    model: nn.Module,
    batch: Batch,
    numerics: dict,
    reference_logits: Tensor | None = None,
    *,
    with_states: bool = False,
    with_logits: bool = False,
) -> _Scores:
    """One pass through the model and the head.

    Args:
        model: As for `completion_logps`.
        batch: Likewise.
        numerics: Likewise.
        reference_logits: (K, V) of the scored states, for the KL.
        with_states: Whether hidden states are given.
        with_logits: Whether the logits of the scored states are, (K, V) in the activations' dtype.
    """
    kept: dict[str, Tensor] = {}
    scored = batch["couple_states"], batch["couple_ids"]

    def score(head: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
        states = hidden.flatten(0, 1).index_select(0, batch["states"])
        if with_states:
            kept["states"] = states.detach()
        if with_logits:
            kept["logits"] = head(states)
            kept["values"] = token_logps(kept["logits"], *scored)
        else:
            kept["values"] = score_states(head, states, *scored, reference_logits, vocabulary)
        return kept["values"]

    vocabulary = unwrapped(model).config.vocab_size
    mask, couples = batch["completion_mask"], batch["couple_of"]
    with autocast(numerics, mask.device.type), _head_replaced(model, score):
        values = model(**_inputs(model, batch), use_cache=False).logits
    _check_values(model, values, kept["values"])
    logps, kl = values.tensor_split([len(batch["couple_ids"])])
    states = batch["couple_states"][couples]
    return _Scores(
        logps=logps[couples].where(mask, 0.0),
        token_kl=None if reference_logits is None else kl[states].where(mask, 0.0),
        hidden_states=kept["states"][states].where(mask[:, :, None], 0.0) if with_states else None,
        logits=kept.get("logits"),
    )


def _inputs(model: nn.Module, batch: Batch) -> dict[str, Tensor | Forest]:
    """What the model is called with."""
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "attention_mask") if name in batch}
    if "trees" in batch:
        let_read_trees(model)
        no_other = batch["input_ids"].new_ones(1, 1, 1, 1)  # given four dimensions, transformers makes no mask itself
        inputs |= {"attention_mask": no_other, "forest": Forest(batch["trees"])}
    return inputs


def _check_values(model: nn.Module, values: Tensor, scored: Tensor) -> None:
    """Refuse what is no number, and what the model has made something else of."""
    if not values.isfinite().all():
        raise FloatingPointError(f"{int((~values.isfinite()).sum())} of {len(values)} log-probs are NaN or infinite")
    if not torch.equal(values, scored):
        raise ConfigError(
            f"a {unwrapped(model).config.model_type} model scales or caps the logits of its output head, and log-probs"
            f" are read before; accepted: architectures that leave them as they are, such as {', '.join(FAMILIES)}"
        )


@contextmanager
def _head_replaced(model: nn.Module, score: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> Iterator[None]:
    """Let `score(head, hidden states)` stand for the output head, inside its module, where its weights are at hand."""
    head = unwrapped(model).get_output_embeddings()
    head.forward = partial(score, head.forward)
    try:
        yield
    finally:
        del head.forward  # the class's own again
