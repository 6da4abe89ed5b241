"""Right-padded batches; the one place where the one-token shift is made.

Rows of a pair batch are all chosen, then all rejected completions, then all anchors if there are any. Shapes: R rows,
S tokens a row, T completion tokens.

    input_ids, attention_mask   (R, S)
    predicts                    (R, S) bool, true where the next token is one of the completion
    completion_ids              (R, T) left-aligned
    completion_mask             (R, T) bool
    token_fields                (R, T) int8, pairs only
    differs                     (R, T) bool, pairs only
    reference_logps             (R, T) float32, pairs with reference only; zeros for anchors
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tabpo.training.tokenise import Example, PairExample


def collate_examples(examples: Sequence[Example], pad_id: int) -> dict[str, Tensor]:
    """One row for each example."""
    return _collate([(example.prompt_ids, example.completion_ids) for example in examples], pad_id)


def collate_pairs(
    pairs: Sequence[PairExample], pad_id: int, anchors: Sequence[tuple[int, ...]] | None = None
) -> dict[str, Tensor]:
    """Two rows for each pair: row i is the chosen, row B + i the rejected completion of pair i.

    Args:
        pairs: At least one, all with or all without reference.
        pad_id: Stands where no token is.
        anchors: A further completion of each pair's prompt, row 2B + i.
    """
    nothing = [(0,) * len(anchor) for anchor in anchors or ()]
    completions = [pair.chosen_ids for pair in pairs] + [pair.rejected_ids for pair in pairs] + list(anchors or ())
    prompts = [pair.prompt_ids for pair in pairs] * (len(completions) // len(pairs))
    fields = [pair.chosen_fields for pair in pairs] + [pair.rejected_fields for pair in pairs] + nothing
    differs = [pair.chosen_differs for pair in pairs] + [pair.rejected_differs for pair in pairs] + nothing
    batch = _collate(list(zip(prompts, completions, strict=True)), pad_id)
    batch["token_fields"] = _padded(fields, 0, torch.int8)
    batch["differs"] = _padded(differs, False, torch.bool)
    if pairs[0].chosen_reference is not None:
        references = [pair.chosen_reference for pair in pairs] + [pair.rejected_reference for pair in pairs]
        batch["reference_logps"] = _padded(references + nothing, 0.0, torch.float32)
    return batch


def _collate(rows: list[tuple[Sequence[int], Sequence[int]]], pad_id: int) -> dict[str, Tensor]:
    lengths = [(len(prompt), len(completion)) for prompt, completion in rows]
    return {
        "input_ids": _padded([(*prompt, *completion) for prompt, completion in rows], pad_id, torch.long),
        "attention_mask": _padded([[1] * (prompt + completion) for prompt, completion in lengths], 0, torch.long),
        "predicts": _padded([_predicts(*length) for length in lengths], False, torch.bool),
        "completion_ids": _padded([completion for _, completion in rows], pad_id, torch.long),
        "completion_mask": _padded([[True] * completion for _, completion in lengths], False, torch.bool),
    }


def _predicts(prompt: int, completion: int) -> list[bool]:
    """The last prompt token predicts the first completion token; the last completion token predicts nothing."""
    return [False] * (prompt - 1) + [True] * completion + [False]


def _padded(rows: Sequence[Sequence], fill: object, dtype: torch.dtype) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=dtype)
