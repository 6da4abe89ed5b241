"""Batches of completions: what the model reads, which of its states are scored, and the grid of the completions.

The model reads one packed row of N tokens in which completions of a prompt share what they have in common
(`layout.pack`), or a padded row for each completion. A state is scored once however many completions pass through it; a
couple is a scored state and a token that follows it in some completion. Shapes: R completions, T tokens the longest, K
states, M couples.

    input_ids, attention_mask   (1, N) or (R, S), padded on the right; N is a multiple of `GRAIN`
    position_ids                (1, N), packed only
    trees                       `layout.Tree` of each prompt, packed only
    states                      (K,) places of the scored states in the flattened rows, ascending; K is a multiple of
                                `GRAIN`, for which the last one comes again
    couple_states               (M,) which of the scored states, ascending
    couple_ids                  (M,) the token that follows; no couple comes twice
    couple_of                   (R, T) the couple of each completion token; 0 outside the mask
    completion_ids              (R, T) left-aligned
    completion_mask             (R, T) bool
    token_fields                (R, T) int8, pairs only
    differs                     (R, T) bool, pairs only
    reference_logps             (R, T) float32, pairs with reference only; zeros for anchors

Completions of a pair batch are all chosen, then all rejected ones, then all anchors if there are any.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tabpo.scoring.packing import Tokens, Tree, lengthened, pack
from tabpo.scoring.tokenise import Example, PairExample

Batch = dict[str, Tensor | tuple[Tree, ...]]

GRAIN = 32
"""What numbers of tokens in a packed row and of scored states are filled up to a multiple of.

On a CPU bfloat16 products have a kernel compiled for each new number of rows, a third of a millisecond each time.
"""


def collate_examples(examples: Sequence[Example], pad_id: int, packed: bool = True) -> Batch:
    """Examples in the order of the completions' grid.

    Args:
        examples: At least one.
        pad_id: Stands where no token is.
        packed: All in one row, where none sees another; else a padded row for each, for architectures that
            `attention.shares_prefixes` does not hold of.
    """
    rows = _packed_row if packed else _padded_rows
    return rows([example.prompt_ids for example in examples], [example.completion_ids for example in examples], pad_id)


def collate_pairs(
    pairs: Sequence[PairExample], pad_id: int, anchors: Sequence[Tokens] | None = None, shared: bool = True
) -> Batch:
    """Two completions for each pair: i is the chosen, B + i the rejected completion of pair i.

    Args:
        pairs: At least one, all with or all without reference.
        pad_id: Stands where no token is.
        anchors: A further completion of each pair's prompt, 2B + i.
        shared: Packed, what completions have in common read once; else a padded row for each, for architectures that
            `attention.shares_prefixes` does not hold of.
    """
    nothing = [(0,) * len(anchor) for anchor in anchors or ()]
    completions = [pair.chosen_ids for pair in pairs] + [pair.rejected_ids for pair in pairs] + list(anchors or ())
    prompts = [pair.prompt_ids for pair in pairs] * (len(completions) // len(pairs))
    fields = [pair.chosen_fields for pair in pairs] + [pair.rejected_fields for pair in pairs] + nothing
    differs = [pair.chosen_differs for pair in pairs] + [pair.rejected_differs for pair in pairs] + nothing
    batch = _packed_row(prompts, completions, pad_id) if shared else _padded_rows(prompts, completions, pad_id)
    batch["token_fields"] = _padded(fields, 0, torch.int8)
    batch["differs"] = _padded(differs, False, torch.bool)
    if pairs[0].chosen_reference is not None:
        references = [pair.chosen_reference for pair in pairs] + [pair.rejected_reference for pair in pairs]
        batch["reference_logps"] = _padded(references + nothing, 0.0, torch.float32)
    return batch


def _packed_row(prompts: Sequence[Tokens], completions: Sequence[Tokens], pad_id: int) -> Batch:
    packed = pack(prompts, completions)
    tokens = len(packed.token_ids)
    beyond = -tokens % GRAIN
    return {
        "input_ids": torch.tensor([[*packed.token_ids, *[pad_id] * beyond]]),
        "attention_mask": torch.tensor([[1] * tokens + [0] * beyond]),
        "position_ids": torch.tensor([[*packed.position_ids, *[0] * beyond]]),
        "trees": lengthened(packed.trees, beyond),
        **_grid(packed.states, completions, pad_id),
    }


def _padded_rows(prompts: Sequence[Tokens], completions: Sequence[Tokens], pad_id: int) -> Batch:
    """The last token of a completion predicts nothing, but is read."""
    rows = [prompt + completion for prompt, completion in zip(prompts, completions, strict=True)]
    input_ids = _padded(rows, pad_id, torch.long)
    width = input_ids.shape[1]
    ends = [row * width + len(tokens) - 1 for row, tokens in enumerate(rows)]
    states = [list(range(end - len(completion), end)) for end, completion in zip(ends, completions, strict=True)]
    return {
        "input_ids": input_ids,
        "attention_mask": _padded([[1] * len(row) for row in rows], 0, torch.long),
        **_grid(states, completions, pad_id),
    }


def _grid(states: Sequence[Sequence[int]], completions: Sequence[Tokens], pad_id: int) -> dict[str, Tensor]:
    """Which states are scored and how the completions' grid is filled from them.

    Args:
        states: For each completion the places of the states that predict its tokens.
        completions: Their tokens.
        pad_id: For `completion_ids`.
    """
    couples = [list(zip(*row, strict=True)) for row in zip(states, completions, strict=True)]
    distinct = sorted({couple for row in couples for couple in row})
    scored = list(dict.fromkeys(state for state, _ in distinct))
    place = {couple: number for number, couple in enumerate(distinct)}
    number = {state: index for index, state in enumerate(scored)}
    return {
        "states": torch.tensor(scored + scored[-1:] * (-len(scored) % GRAIN)),
        "couple_states": torch.tensor([number[state] for state, _ in distinct]),
        "couple_ids": torch.tensor([token for _, token in distinct]),
        "couple_of": _padded([[place[couple] for couple in row] for row in couples], 0, torch.long),
        "completion_ids": _padded(completions, pad_id, torch.long),
        "completion_mask": _padded([[True] * len(completion) for completion in completions], False, torch.bool),
    }


def _padded(rows: Sequence[Sequence], fill: object, dtype: torch.dtype) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=dtype)
