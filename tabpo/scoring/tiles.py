"""Attention over a packed row of trees on a CPU: tile by tile, forward and backward by hand.

A tile is a stretch of a trunk or of a branch. Its tokens see what comes before them in their own block, and of the
trunk what comes before the fork; nothing else is multiplied, so that of a causal square the empty half is left out.
What a tile sees does not depend on the rest of the batch, nor do, therefore, its scores. Heads that read the same keys
are rows beside each other, and no key is copied for each of them.

Sizes are rounded up, since bfloat16 products have a kernel compiled for each new shape: what a tile reads beyond its
end is hidden by the causal mask, or comes out as rows that nobody takes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from tabpo.scoring.packing import Tree

TILE = 128
"""Tokens."""

GRAIN = 32
"""What numbers of tokens are rounded up to."""


class Tile(NamedTuple):
    """Places in the packed row; `fork` tokens of the trunk are seen, and the block up to the tile's own tokens."""

    start: int
    length: int
    block: int
    trunk: int
    fork: int

    @property
    def position(self) -> int:
        """Of the first token."""
        return self.fork + self.start - self.block

    @property
    def rows(self) -> int:
        """Tokens that are computed."""
        return _rounded(self.length)

    @property
    def width(self) -> int:
        """Tokens that are read for them."""
        return _rounded(self.position + self.rows)

    def seen(self, states: Tensor) -> Tensor:
        """(key heads, width, size) of the row's keys or values."""
        own = states[:, self.block : self.block + self.width - self.fork]
        return torch.cat([states[:, self.trunk : self.trunk + self.fork], own], dim=1) if self.fork else own


def tiles_of(trees: Sequence[Tree]) -> list[Tile]:
    """Tiles of all trees in the row's order."""
    tiles, start = [], 0
    for tree in trees:
        trunk = start
        for fork, length in ((0, tree.trunk), *tree.branches):
            ends = range(start, start + length, TILE)
            tiles += [Tile(first, min(TILE, start + length - first), start, trunk, fork) for first in ends]
            start += length
    return tiles


def attend(query: Tensor, key: Tensor, value: Tensor, tiles: Sequence[Tile], square: Tensor, windowed: bool) -> Tensor:
    """Softmax attention of each tile, in the dtype of the mask; differentiable once.

    Args:
        query: (1, heads, tokens, size), scaled.
        key: (1, key heads, tokens, size).
        value: Likewise.
        tiles: All of the row.
        square: Additive causal mask by positions, as wide as the widest tile.
        windowed: Whether it hides more than what comes later.

    Returns:
        (1, tokens, heads, size).
    """
    with torch.autocast(query.device.type, enabled=False):
        row = (states.to(square.dtype) for states in (query, key, value))
        return _Attention.apply(*row, tiles, square, windowed)


class _Attention(torch.autograd.Function):
    """Keeps each tile's shares of attention, in the dtype of the states."""

    @staticmethod
    def forward(
        ctx, query: Tensor, key: Tensor, value: Tensor, tiles: Sequence[Tile], square: Tensor, windowed: bool
    ) -> Tensor:
        heads, tokens = key.shape[1:3]
        groups = query.shape[1] // heads
        rows, keys, values = (_rows(states, heads) for states in (query, key, value))
        output = rows.new_empty(heads, tokens * groups, value.shape[-1])
        shares = []
        for tile in tiles:
            scores = torch.bmm(_of(tile, rows, groups), tile.seen(keys).transpose(1, 2))
            hidden = slice(0 if windowed else tile.position, tile.width)  # what may be
            mask = square[tile.position : tile.position + tile.rows, None, hidden]
            scores.unflatten(1, (-1, groups))[..., hidden].add_(mask)
            shares.append(scores.softmax(-1))
            own = slice(tile.start * groups, (tile.start + tile.length) * groups)
            output[:, own] = torch.bmm(shares[-1], tile.seen(values))[:, : tile.length * groups]
        ctx.save_for_backward(rows, keys, values, *shares)
        ctx.tiles, ctx.groups = tiles, groups
        return output.unflatten(1, (tokens, groups)).transpose(0, 1).flatten(1, 2)[None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, keys, values, *shares = ctx.saved_tensors
        groups = ctx.groups
        upstream = _rows(upstream.transpose(1, 2), len(keys))
        by_row, by_key, by_value = (torch.zeros_like(states) for states in (rows, keys, values))
        for tile, share in zip(ctx.tiles, shares, strict=True):
            own = slice(tile.start * groups, (tile.start + tile.length) * groups)
            above = pad(upstream[:, own], (0, 0, 0, (tile.rows - tile.length) * groups))
            by_share = torch.bmm(above, tile.seen(values).transpose(1, 2))
            by_score = torch._softmax_backward_data(by_share, share, -1, share.dtype)
            by_row[:, own] = torch.bmm(by_score, tile.seen(keys))[:, : tile.length * groups]
            for total, part in (
                (by_key, torch.bmm(by_score.transpose(1, 2), _of(tile, rows, groups))),
                (by_value, torch.bmm(share.transpose(1, 2), above)),
            ):
                total[:, tile.trunk : tile.trunk + tile.fork].add_(part[:, : tile.fork])
                total[:, tile.block : tile.block + tile.width - tile.fork].add_(part[:, tile.fork :])
        return _heads(by_row, groups), _heads(by_key, 1), _heads(by_value, 1), None, None, None


def _rounded(tokens: int) -> int:
    return -(-tokens // GRAIN) * GRAIN


def _rows(states: Tensor, heads: int) -> Tensor:
    """(1, ..., tokens, size) as (heads, rows, size), rows of a token beside each other, and what tiles read beyond."""
    grouped = states[0].unflatten(0, (heads, -1)).transpose(1, 2)
    return pad(grouped, (0, 0, 0, 0, 0, 2 * GRAIN)).flatten(1, 2)


def _heads(rows: Tensor, groups: int) -> Tensor:
    """`_rows` undone."""
    return rows.unflatten(1, (-1, groups))[:, : -2 * GRAIN].transpose(1, 2).flatten(0, 1)[None]


def _of(tile: Tile, rows: Tensor, groups: int) -> Tensor:
    return rows[:, tile.start * groups : (tile.start + tile.rows) * groups]
