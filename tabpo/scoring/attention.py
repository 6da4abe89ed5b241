"""Attention over a packed row of trees, for each trunk and for each branch by itself.

A trunk is an ordinary causal sequence. A branch reads the trunk up to its fork and itself, which is the lower part of
the causal square over both, so that the exact mask of a block is a slice of one square, sliding window included. What a
block sees does not depend on the rest of the batch, nor do, therefore, its scores. On a CPU blocks are read by `tiles`,
which is faster there than the model's own kernels; elsewhere, and with dropout, the kernel is called block by block.
FlexAttention, on GPUs, takes the whole row at once instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

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
from tabpo.scoring.tiles import Tile, attend, tiles_of

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Architectures that packed rows are exact for; of others each completion is read in a row of its own."""

BY_TILES = frozenset({"cpu"})
"""Devices on which `tiles` stands for the kernels."""

_PREFIX = "trees_"

_BY_LENGTH = ("dynamic", "longrope")
"""Rotary embeddings that turn all of a batch by its longest text."""


@dataclass(frozen=True)
class Forest:
    """What the attention of every layer is told of the row.

    Attributes:
        trees: In the row's order.
        masks: What was made for each sliding window (None: no window) that a layer asked for, and the layer's device.
    """

    trees: tuple[Tree, ...]
    masks: dict[tuple[int | None, torch.device], Tensor | BlockMask] = field(default_factory=dict)

    @cached_property
    def tiles(self) -> list[Tile]:
        """Of all trees."""
        return tiles_of(self.trees)

    def square(self, window: int | None, query: Tensor) -> Tensor:
        """An additive causal mask over the longest block, in the kernel's dtype, as wide as its tiles."""
        key = (window, query.device)
        if key not in self.masks:
            autocast = torch.is_autocast_enabled(query.device.type)
            dtype = torch.get_autocast_dtype(query.device.type) if autocast else query.dtype
            places = torch.arange(max(tile.width for tile in self.tiles), device=query.device)
            back = places[:, None] - places
            seen = back >= 0 if window is None else (back >= 0) & (back < window)
            self.masks[key] = torch.zeros_like(back, dtype=dtype).masked_fill_(~seen, -torch.inf)
        return self.masks[key]

    def blocks(self, window: int | None, device: torch.device) -> BlockMask:
        """The mask over the whole row, for FlexAttention."""
        key = (window, device)
        if key not in self.masks:
            length = sum(tree.trunk + sum(branch for _, branch in tree.branches) for tree in self.trees)
            self.masks[key] = create_block_mask(self.sees(window, device), None, None, length, length, device=device)
        return self.masks[key]

    def sees(self, window: int | None, device: torch.device) -> Callable[..., Tensor]:
        """Whether the token at one place of the row sees that at another, as FlexAttention asks it."""
        rows, start = [], 0  # of each token: its block, start of its trunk, end of what it sees of it, its position
        for tree in self.trees:
            end = start + tree.trunk
            rows += [(start, start, start, position) for position in range(tree.trunk)]
            for fork, length in tree.branches:
                rows += [(end, start, start + fork, position) for position in range(fork, fork + length)]
                end += length
            start = end
        block, trunk, fork, position = torch.tensor(rows, device=device).unbind(1)

        def sees(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            own = (block[query] == block[key]) & (key <= query)
            seen = own | ((key >= trunk[query]) & (key < fork[query]))
            return seen if window is None else seen & (position[query] - position[key] < window)

        return sees


def shares_prefixes(model: nn.Module) -> bool:
    """Whether packed rows are exact: those of `FAMILIES` are, unless their rotary embeddings go by a text's length."""
    config = unwrapped(model).config
    return config.model_type in FAMILIES and config.rope_parameters["rope_type"] not in _BY_LENGTH


def let_read_trees(model: nn.Module) -> None:
    """Have the model's attention take a `forest`; without one it stays what it was.

    Raises:
        ConfigError: An architecture or a kernel that cannot.
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
    """By tiles, or `kernel` block by block; (1, heads, tokens, width) gives (1, tokens, heads, width), no weights."""
    if forest is None:
        return kernel(module, query, key, value, attention_mask, sliding_window=sliding_window, **kwargs)
    square = forest.square(sliding_window, query)
    if query.device.type in BY_TILES and not kwargs["dropout"]:
        scaled = query * kwargs["scaling"]
        return attend(scaled, key, value, forest.tiles, square, sliding_window is not None), None
    lengths = [length for tree in forest.trees for length in (tree.trunk, *(branch for _, branch in tree.branches))]
    blocks = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
    outputs = []
    for tree in forest.trees:
        trunk = next(blocks)
        by_itself = kernel is sdpa_attention_forward and (sliding_window or tree.trunk) >= tree.trunk
        mask = None if by_itself else square[None, None, : tree.trunk, : tree.trunk]  # none: its own causal form
        outputs.append(kernel(module, *trunk, mask, **kwargs)[0])
        for fork, length in tree.branches:
            new, *own = next(blocks)
            seen = [torch.cat([states[:, :, :fork], more], dim=2) for states, more in zip(trunk[1:], own, strict=True)]
            mask = square[None, None, fork : fork + length, : fork + length]
            outputs.append(kernel(module, new, *seen, mask, **kwargs)[0])
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
    """FlexAttention over the whole row, which skips what no token of a block sees."""
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
