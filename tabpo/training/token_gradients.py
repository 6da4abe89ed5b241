"""The gradient of losses at the first step of training, token by token: what a loss looks at before anything moved."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tabpo.losses import Side, build_loss
from tabpo.records import Pair, Reference
from tabpo.scoring.tokenise import PairExample

KNOWN_AT_START = frozenset({"token_kl"})
"""What a loss may need: the policy is still the reference, so the KL of every token is 0, and so is its gradient."""


MOST_TOKENS = 40
"""How many tokens of an answer a figure as wide as a page can show."""


def telling_pair(pairs: Sequence[Pair], references: Sequence[Reference]) -> tuple[Pair, Reference]:
    """The pair whose chosen answer has the token that is least likely under the reference, with its log-probs.

    Pairs that differ in a label come first, then pairs of at most `MOST_TOKENS` tokens; longer ones are a last resort,
    the shortest first.

    Args:
        pairs: At least one.
        references: One for each pair, in any order.
    """
    by_pair = {reference.pair_id: reference for reference in references}

    def order(pair: Pair) -> tuple[bool, int, float, str]:
        reference = by_pair[pair.pair_id]
        beyond = max(len(reference.chosen_logps), len(reference.rejected_logps)) - MOST_TOKENS
        of_label = any(edit.operator == "label" for edit in pair.edits)
        return not of_label, max(0, beyond), min(reference.chosen_logps), pair.pair_id

    pair = min(pairs, key=order)
    return pair, by_pair[pair.pair_id]


def start_gradients(
    pair: PairExample, methods: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[list[float], list[float]]]:
    """The derivative of each loss by the log-prob of each token, per nat, where the policy equals the reference.

    Losses that need more than `KNOWN_AT_START`, such as hidden states or anchors, are left out.

    Args:
        pair: One pair with its reference log-probs.
        methods: `loss` and `params` of each method.

    Returns:
        For each method the derivatives on the chosen and on the rejected tokens.
    """
    gradients = {}
    for name, method in methods.items():
        loss = build_loss(method["loss"], **method["params"])
        if loss.needs <= KNOWN_AT_START:
            chosen, rejected = _sides(pair)
            logps = (chosen.policy_logps, rejected.policy_logps)
            both = torch.autograd.grad(loss(chosen, rejected).losses.sum(), logps, materialize_grads=True)
            gradients[name] = tuple(
                gradient[0, : len(ids)].tolist()
                for gradient, ids in zip(both, (pair.chosen_ids, pair.rejected_ids), strict=True)
            )
    return gradients


def _sides(pair: PairExample) -> tuple[Side, Side]:
    width = max(len(pair.chosen_ids), len(pair.rejected_ids))

    def side(reference: Sequence[float], fields: Sequence[int], differs: Sequence[bool]) -> Side:
        logps = _row(reference, width, torch.float64)
        return Side(
            policy_logps=logps.clone().requires_grad_(),
            reference_logps=logps,
            completion_mask=_row([True] * len(reference), width, torch.bool),
            token_fields=_row(fields, width, torch.int8),
            differs=_row(differs, width, torch.bool),
            token_kl=torch.zeros_like(logps),
        )

    return (
        side(pair.chosen_reference, pair.chosen_fields, pair.chosen_differs),
        side(pair.rejected_reference, pair.rejected_fields, pair.rejected_differs),
    )


def _row(values: Sequence[float], width: int, kind: torch.dtype) -> Tensor:
    """(1, width), padded with 0."""
    return torch.tensor([[*values, *[0] * (width - len(values))]], dtype=kind)
