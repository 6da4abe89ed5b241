"""Per-token log-probs of completions from one forward pass; the output head runs only on the states that are scored."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from tabpo.errors import ConfigError
from tabpo.losses import FROM_FILES, Side
from tabpo.models.loading import autocast
from tabpo.scoring.attention import FAMILIES, Forest, let_read_trees, unwrapped
from tabpo.scoring.collate import Batch
from tabpo.scoring.logits import score_states, token_logps

STEP0_BAR = {"fp32": {"mean": 1e-5, "max": 1e-3}, "bf16": {"mean": 1e-2, "max": 1.0}}
"""Largest accepted difference of policy and reference at step 0: |difference| per token in nats, mean and maximum.

The scores of a completion do not depend on the rest of its batch. On a CPU the difference was exactly zero, measured
with 0.7 M parameters, before and after training, with one to four negatives, references in batches of 16 pairs and the
policy in batches of 3 other pairs, in fp32 and bf16, with eager attention and SDPA. It was not measured on GPUs, whose
kernels depend on the size of the batch; the bounds leave a margin for them. For comparison, SFT models of another seed
and of ten steps later differed by 0.05 and 0.16 on average, by 10 at most.
"""


@dataclass(frozen=True)
class _Scores:
    """The result of one forward pass on the grid of completions; 0 outside the mask.

    Attributes:
        logps: (R, T) log-probs of the completion tokens, float32.
        token_kl: (R, T) KL(reference || policy) at the state that predicts each token; None without a reference.
        hidden_states: (R, T, H) the state that predicts each token, as the output head reads it, detached; None unless
            requested.
        logits: (K, V) logits of the scored states; None unless requested.
    """

    logps: Tensor
    token_kl: Tensor | None
    hidden_states: Tensor | None
    logits: Tensor | None


def completion_logps(model: nn.Module, batch: Batch, numerics: dict) -> Tensor:
    """Log-probs of the completion tokens, (R, T) float32 on the left-aligned grid, 0 outside the mask.

    The function calls `model` itself, so the hooks of DDP, DeepSpeed and peft run. The caller chooses the mode (train,
    eval) and whether gradients are kept.

    Args:
        model: A causal language model, wrapped or not.
        batch: From `collate`.
        numerics: As for `models.loading.load_model`.

    Raises:
        FloatingPointError: A log-prob is NaN or infinite.
        ConfigError: The architecture scales or caps the logits of its output head.
    """
    return _forward(model, batch, numerics).logps


def score_pairs(
    model: nn.Module,
    batch: Batch,
    numerics: dict,
    needs: frozenset[str] = frozenset(),
    frozen: Callable[[], AbstractContextManager[nn.Module]] | None = None,
) -> tuple[Side, Side]:
    """The chosen and the rejected side of a batch of pairs with reference log-probs, ready for a loss.

    The policy's log-probs and KL carry the gradient.

    Args:
        model: As for `completion_logps`.
        batch: From `collate_pairs`, with anchors if the loss needs them.
        numerics: As for `models.loading.load_model`.
        needs: The `needs` of the loss. This function computes "token_kl", "hidden_states" and "anchor"; other needs are
            left to the caller.
        frozen: Opens a context with the reference model: another model, or the policy with its adapters disabled. It is
            needed for "token_kl" and for the anchor's reference log-probs, and is scored first, in eval mode. For the
            KL its logits of all scored states are kept, in the dtype of the activations.

    Raises:
        FloatingPointError: A log-prob or KL is NaN or infinite.
        ConfigError: As for `completion_logps`.
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
    always = ("reference_logps", "completion_mask", "token_fields", "differs")
    given = {name: batch[name][rows] for name in (*always, *(FROM_FILES & batch.keys()))}
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
    """Scores of the reference in eval mode; afterwards its previous mode is restored."""
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
    """One pass through the model and the output head.

    Args:
        model: As for `completion_logps`.
        batch: As for `completion_logps`.
        numerics: As for `completion_logps`.
        reference_logits: (K, V) reference logits of the scored states, for the KL.
        with_states: Whether to return hidden states.
        with_logits: Whether to return the logits of the scored states, (K, V) in the dtype of the activations.
    """
    kept: dict[str, Tensor] = {}
    scored = batch["target_states"], batch["target_ids"]

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
    mask, targets = batch["completion_mask"], batch["target_of"]
    with autocast(numerics, mask.device.type), _head_replaced(model, score):
        values = model(**_inputs(model, batch), use_cache=False).logits
    _check_values(model, values, kept["values"])
    logps, kl = values.tensor_split([len(batch["target_ids"])])
    states = batch["target_states"][targets]
    return _Scores(
        logps=logps[targets].where(mask, 0.0),
        token_kl=None if reference_logits is None else kl[states].where(mask, 0.0),
        hidden_states=kept["states"][states].where(mask[:, :, None], 0.0) if with_states else None,
        logits=kept.get("logits"),
    )


def _inputs(model: nn.Module, batch: Batch) -> dict[str, Tensor | Forest]:
    """The arguments of the model's forward pass."""
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "attention_mask") if name in batch}
    if "trees" in batch:
        let_read_trees(model)
        placeholder = batch["input_ids"].new_ones(1, 1, 1, 1)  # transformers builds no mask if it has four dimensions
        inputs |= {"attention_mask": placeholder, "forest": Forest(batch["trees"])}
    return inputs


def _check_values(model: nn.Module, values: Tensor, scored: Tensor) -> None:
    """Refuse values that are not finite, and values that the model changed after its output head."""
    if not values.isfinite().all():
        raise FloatingPointError(f"{int((~values.isfinite()).sum())} of {len(values)} log-probs are NaN or infinite")
    if not torch.equal(values, scored):
        raise ConfigError(
            f"a {unwrapped(model).config.model_type} model scales or caps the logits of its output head, and log-probs"
            f" are computed before that; accepted: architectures that do neither, such as {', '.join(FAMILIES)}"
        )


@contextmanager
def _head_replaced(model: nn.Module, score: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> Iterator[None]:
    """Replace the output head's forward by `score(head, hidden states)`.

    It runs inside the head's module, so that the module's hooks (ZeRO-3) have gathered its weights.
    """
    head = unwrapped(model).get_output_embeddings()
    head.forward = partial(score, head.forward)
    try:
        yield
    finally:
        del head.forward  # restores the method of the class
