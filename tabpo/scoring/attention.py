"""Attention over a packed row of trees, computed separately for each block of a tree.

A block is the first sequence of a tree or one of its suffixes (see `packing`). The first sequence is an ordinary causal
sequence. A suffix attends to its shared prefix and to itself; these are the lower rows of the causal mask over both.
The exact mask of every block, with or without a sliding window, is therefore a slice of one square causal mask. The
scores of a block do not depend on the rest of the batch.

The model's own kernel, eager or SDPA, is called once for each block. FlexAttention, on GPUs, processes the whole row in
one call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.flex_attention import flex_attention_forward
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, flex_attention_mask, sdpa_mask
from transformers.models.llama.modeling_llama import eager_attention_forward

from tabpo.errors import ConfigError
from tabpo.scoring.packing import Tree

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Architectures for which packed rows are exact; with other architectures each completion gets a separate row."""

_PREFIX = "trees_"

_BY_LENGTH = ("dynamic", "longrope")
"""Types of rotary embedding whose frequencies depend on the longest text of the batch."""


@dataclass(frozen=True)
class Forest:
    """The structure of a packed row, passed to the attention of every layer.

    Attributes:
        trees: The trees in the order of the row.
        masks: Cached masks, by sliding window (None: no window) and device.
    """

    trees: tuple[Tree, ...]
    masks: dict[tuple[int | None, torch.device], Tensor | BlockMask] = field(default_factory=dict)

    def square(self, window: int | None, query: Tensor) -> Tensor:
        """An additive causal mask over the longest block, in the kernel's dtype."""
        key = (window, query.device)
        if key not in self.masks:
            autocast = torch.is_autocast_enabled(query.device.type)
            dtype = torch.get_autocast_dtype(query.device.type) if autocast else query.dtype
            longest = max(max([tree.first, *map(sum, tree.suffixes)]) for tree in self.trees)
            places = torch.arange(longest, device=query.device)
            back = places[:, None] - places
            seen = back >= 0 if window is None else (back >= 0) & (back < window)
            self.masks[key] = torch.zeros_like(back, dtype=dtype).masked_fill_(~seen, -torch.inf)
        return self.masks[key]

    def blocks(self, window: int | None, device: torch.device) -> BlockMask:
        """The block mask over the whole row, for FlexAttention."""
        key = (window, device)
        if key not in self.masks:
            length = sum(tree.first + sum(suffix for _, suffix in tree.suffixes) for tree in self.trees)
            self.masks[key] = create_block_mask(self.sees(window, device), None, None, length, length, device=device)
        return self.masks[key]

    def sees(self, window: int | None, device: torch.device) -> Callable[..., Tensor]:
        """The mask function for FlexAttention: whether the token at one index attends to the token at another."""
        # For each token: start of its block, start of its tree, end of its shared prefix, its position.
        rows, start = [], 0
        for tree in self.trees:
            end = start + tree.first
            rows += [(start, start, start, position) for position in range(tree.first)]
            for shared, length in tree.suffixes:
                rows += [(end, start, start + shared, position) for position in range(shared, shared + length)]
                end += length
            start = end
        block, origin, shared, position = torch.tensor(rows, device=device).unbind(1)

        def sees(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            in_block = (block[query] == block[key]) & (key <= query)
            seen = in_block | ((key >= origin[query]) & (key < shared[query]))
            return seen if window is None else seen & (position[query] - position[key] < window)

        return sees


def shares_prefixes(model: nn.Module) -> bool:
    """Whether packed rows are exact for a model.

    They are for `FAMILIES`, unless the rotary embedding depends on the length of the text.
    """
    config = unwrapped(model).config
    return config.model_type in FAMILIES and config.rope_parameters["rope_type"] not in _BY_LENGTH


def let_read_trees(model: nn.Module) -> None:
    """Let the model's attention take the argument `forest`; without this argument it works as before.

    Raises:
        ConfigError: The architecture or the attention kernel cannot read packed rows.
    """
    model = unwrapped(model)
    kernel = model.config._attn_implementation
    if kernel.startswith(_PREFIX):
        return
    if model.config.model_type not in FAMILIES or kernel not in _KERNELS:
        raise ConfigError(
            f"a {model.config.model_type} model with {kernel} attention cannot share prefixes; those that can:"
            f" {', '.join(FAMILIES)} with {', '.join(_KERNELS)}"
        )
    model.set_attn_implementation(_PREFIX + kernel)


def unwrapped(model: nn.Module) -> PreTrainedModel:
    """The model inside DDP or DeepSpeed."""
    while hasattr(model, "module"):
        model = model.module
    return model


def _attend(
    kernel: Callable[..., tuple[Tensor, Tensor | None]],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    forest: Forest | None = None,
    sliding_window: int | None = None,
    **kwargs,
) -> tuple[Tensor, Tensor | None]:
    """Attention by one call of `kernel` for each block.

    The states are (1, heads, tokens, size), the output is (1, tokens, heads, size); no attention weights are returned.
    """
    if forest is None:
        return kernel(module, query, key, value, attention_mask, sliding_window=sliding_window, **kwargs)
    square = forest.square(sliding_window, query)
    lengths = [length for tree in forest.trees for length in (tree.first, *(suffix for _, suffix in tree.suffixes))]
    blocks = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
    outputs = []
    for tree in forest.trees:
        first = next(blocks)
        by_itself = kernel is sdpa_attention_forward and (sliding_window or tree.first) >= tree.first
        # Without a mask SDPA uses its built-in causal form.
        mask = None if by_itself else square[None, None, : tree.first, : tree.first]
        outputs.append(kernel(module, *first, mask, **kwargs)[0])
        for shared, length in tree.suffixes:
            queries, *suffix = next(blocks)
            seen = [
                torch.cat([prefix[:, :, :shared], new], dim=2) for prefix, new in zip(first[1:], suffix, strict=True)
            ]
            mask = square[None, None, shared : shared + length, : shared + length]
            outputs.append(kernel(module, queries, *seen, mask, **kwargs)[0])
    return torch.cat(outputs, dim=1), None


def _attend_at_once(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | BlockMask | None,
    *,
    forest: Forest | None = None,
    sliding_window: int | None = None,
    **kwargs,
) -> tuple[Tensor, Tensor | None]:
    """FlexAttention over the whole row; it skips the blocks of the mask that are entirely hidden."""
    mask = attention_mask if forest is None else forest.blocks(sliding_window, query.device)
    return flex_attention_forward(module, query, key, value, mask, sliding_window=sliding_window, **kwargs)


_KERNELS = {
    "eager": (partial(_attend, eager_attention_forward), eager_mask),
    "sdpa": (partial(_attend, sdpa_attention_forward), sdpa_mask),
    "flex_attention": (_attend_at_once, flex_attention_mask),
}

for _name, (_kernel, _mask) in _KERNELS.items():
    AttentionInterface.register(_PREFIX + _name, _kernel)
    AttentionMaskInterface.register(_PREFIX + _name, _mask)
