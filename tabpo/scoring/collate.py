"""Batches of completions: the tokens that the model reads, the states that are scored, and the grid of completions.

The model reads one packed row of N tokens, in which completions of a prompt share their common prefix (`packing.pack`),
or a padded row for each completion. A state is scored once, however many completions use it. A target pair is a scored
state and a token that follows it in a completion. Shapes: R completions, T tokens in the longest completion, K scored
states, M target pairs, S tokens in the longest padded row.

    input_ids, attention_mask   (1, N) or (R, S), padded on the right; N is a multiple of `GRAIN`
    position_ids                (1, N), packed only
    trees                       `packing.Tree` of each prompt, packed only
    states                      (K,) indices of the scored states in the flattened rows, ascending; the last state is
                                repeated until K is a multiple of `GRAIN`
    target_states               (M,) index of the scored state of each target pair, ascending
    target_ids                  (M,) token of each target pair; no pair comes twice
    target_of                   (R, T) index of the target pair of each completion token; 0 outside the mask
    completion_ids              (R, T) left-aligned
    completion_mask             (R, T) bool
    token_fields                (R, T) int8, pairs only
    differs                     (R, T) bool, pairs only
    reference_logps             (R, T) float32, pairs with reference only; zeros for anchors
    weights                     (B,) float32, pairs only
    fields of FROM_FILES        (R, T) float32, pairs that bring them along only; zeros for anchors

The completions of a pair batch are all chosen ones, then all rejected ones, then all anchors if there are any.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tabpo.scoring.packing import Tokens, Tree, lengthened, pack
from tabpo.scoring.tokenise import Example, PairExample

Batch = dict[str, Tensor | tuple[Tree, ...]]

GRAIN = 32
"""The tokens of a packed row and the scored states are padded to a multiple of this number.

On a CPU a bfloat16 product compiles a kernel for each new number of rows, which takes a third of a millisecond.
"""


def collate_examples(examples: Sequence[Example], pad_id: int, packed: bool = True) -> Batch:
    """A batch of prompts with one completion each, in the order of `examples`.

    Args:
        examples: At least one.
        pad_id: Token id of padding.
        packed: True for one packed row, in which no example attends to another; false for one padded row per example,
            which models need for which `attention.shares_prefixes` is false.
    """
    rows = _packed_row if packed else _padded_rows
    return rows([example.prompt_ids for example in examples], [example.completion_ids for example in examples], pad_id)


def collate_pairs(
    pairs: Sequence[PairExample], pad_id: int, anchors: Sequence[Tokens] | None = None, shared: bool = True
) -> Batch:
    """A batch of B pairs: completion i is the chosen one of pair i, completion B + i the rejected one.

    Args:
        pairs: At least one; either all or none have reference log-probs.
        pad_id: Token id of padding.
        anchors: One more completion of each pair's prompt, completion 2B + i.
        shared: True for one packed row, in which shared prefixes are read once; false for one padded row per
            completion, which models need for which `attention.shares_prefixes` is false.
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
    batch["weights"] = torch.tensor([pair.weight for pair in pairs])
    for name in pairs[0].chosen_values:
        values = [pair.chosen_values[name] for pair in pairs] + [pair.rejected_values[name] for pair in pairs]
        batch[name] = _padded(values + nothing, 0.0, torch.float32)
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
    """One padded row per completion. The last token of a completion is read too, although it predicts nothing."""
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
    """The scored states, the target pairs and the grid of completions.

    Args:
        states: For each completion, the indices of the states that predict its tokens.
        completions: The tokens of each completion.
        pad_id: Token id of padding in `completion_ids`.
    """
    targets = [list(zip(*row, strict=True)) for row in zip(states, completions, strict=True)]
    distinct = sorted({target for row in targets for target in row})
    scored = list(dict.fromkeys(state for state, _ in distinct))
    place = {target: number for number, target in enumerate(distinct)}
    number = {state: index for index, state in enumerate(scored)}
    return {
        "states": torch.tensor(scored + scored[-1:] * (-len(scored) % GRAIN)),
        "target_states": torch.tensor([number[state] for state, _ in distinct]),
        "target_ids": torch.tensor([token for _, token in distinct]),
        "target_of": _padded([[place[target] for target in row] for row in targets], 0, torch.long),
        "completion_ids": _padded(completions, pad_id, torch.long),
        "completion_mask": _padded([[True] * len(completion) for completion in completions], False, torch.bool),
    }


def _padded(rows: Sequence[Sequence], fill: object, dtype: torch.dtype) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=dtype)
