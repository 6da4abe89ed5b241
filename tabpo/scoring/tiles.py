"""Attention over a packed row of trees on a CPU, tile by tile, with a hand-written backward pass.

A tile is up to `TILE` consecutive tokens of a block: of the first sequence of a tree or of a suffix (see `packing`).
Its tokens attend to the earlier tokens of their block and, in a suffix, to the shared prefix. Only these keys are
multiplied, so that the empty half of a causal mask costs nothing. The scores of a tile do not depend on the rest of the
batch. Query heads that share a key head are adjacent rows, and no key is copied for them.

Sizes are rounded up, because a bfloat16 product compiles a kernel for each new shape. The causal mask hides the keys
that a tile reads beyond its end; the additional rows of its output are dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from tabpo.scoring.packing import Tree

TILE = 128
"""Largest number of tokens in a tile."""

GRAIN = 32
"""Numbers of tokens are rounded up to a multiple of this."""


class Tile(NamedTuple):
    """A tile of the packed row. It reads the shared prefix and its block up to its last token.

    Attributes:
        start: Index of the tile's first token in the row.
        length: Number of its tokens.
        block: Index of the first token of its block.
        origin: Index of the first token of its tree.
        shared: Length of the shared prefix; 0 in a first sequence.
    """

    start: int
    length: int
    block: int
    origin: int
    shared: int

    @property
    def position(self) -> int:
        """Position of the first token."""
        return self.shared + self.start - self.block

    @property
    def rows(self) -> int:
        """Number of queries, rounded up."""
        return _rounded(self.length)

    @property
    def width(self) -> int:
        """Number of keys, rounded up."""
        return _rounded(self.position + self.rows)

    def seen(self, states: Tensor) -> Tensor:
        """The row's keys or values that the tile reads, (key heads, width, size)."""
        block = states[:, self.block : self.block + self.width - self.shared]
        return torch.cat([states[:, self.origin : self.origin + self.shared], block], dim=1) if self.shared else block


def tiles_of(trees: Sequence[Tree]) -> list[Tile]:
    """Tiles of all trees, in the order of the row."""
    tiles, start = [], 0
    for tree in trees:
        origin = start
        for shared, length in ((0, tree.first), *tree.suffixes):
            ends = range(start, start + length, TILE)
            tiles += [Tile(first, min(TILE, start + length - first), start, origin, shared) for first in ends]
            start += length
    return tiles


def attend(query: Tensor, key: Tensor, value: Tensor, tiles: Sequence[Tile], square: Tensor, windowed: bool) -> Tensor:
    """Softmax attention of each tile, in the dtype of the mask; it can be differentiated once.

    Args:
        query: (1, heads, tokens, size), already scaled.
        key: (1, key heads, tokens, size).
        value: (1, key heads, tokens, size).
        tiles: All tiles of the row.
        square: Additive causal mask by positions, as wide as the widest tile.
        windowed: Whether the mask also hides keys before a sliding window.

    Returns:
        (1, tokens, heads, size).
    """
    with torch.autocast(query.device.type, enabled=False):
        row = (states.to(square.dtype) for states in (query, key, value))
        return _Attention.apply(*row, tiles, square, windowed)


class _Attention(torch.autograd.Function):
    """Attention that keeps the attention weights of each tile for the backward pass, in the dtype of the states."""

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
            masked = slice(0 if windowed else tile.position, tile.width)  # without a window, earlier keys are visible
            mask = square[tile.position : tile.position + tile.rows, None, masked]
            scores.unflatten(1, (-1, groups))[..., masked].add_(mask)
            shares.append(scores.softmax(-1))
            tile_rows = slice(tile.start * groups, (tile.start + tile.length) * groups)
            output[:, tile_rows] = torch.bmm(shares[-1], tile.seen(values))[:, : tile.length * groups]
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
            tile_rows = slice(tile.start * groups, (tile.start + tile.length) * groups)
            above = pad(upstream[:, tile_rows], (0, 0, 0, (tile.rows - tile.length) * groups))
            by_share = torch.bmm(above, tile.seen(values).transpose(1, 2))
            by_score = torch._softmax_backward_data(by_share, share, -1, share.dtype)
            by_row[:, tile_rows] = torch.bmm(by_score, tile.seen(keys))[:, : tile.length * groups]
            for total, part in (
                (by_key, torch.bmm(by_score.transpose(1, 2), _of(tile, rows, groups))),
                (by_value, torch.bmm(share.transpose(1, 2), above)),
            ):
                total[:, tile.origin : tile.origin + tile.shared].add_(part[:, : tile.shared])
                total[:, tile.block : tile.block + tile.width - tile.shared].add_(part[:, tile.shared :])
        return _heads(by_row, groups), _heads(by_key, 1), _heads(by_value, 1), None, None, None


def _rounded(tokens: int) -> int:
    return -(-tokens // GRAIN) * GRAIN


def _rows(states: Tensor, heads: int) -> Tensor:
    """Reshape (1, ..., tokens, size) to (heads, rows, size): the rows of a token are adjacent, padding comes last.

    The padding is what rounded tiles read beyond the end of the row.
    """
    grouped = states[0].unflatten(0, (heads, -1)).transpose(1, 2)
    return pad(grouped, (0, 0, 0, 0, 0, 2 * GRAIN)).flatten(1, 2)


def _heads(rows: Tensor, groups: int) -> Tensor:
    """The inverse of `_rows`."""
    return rows.unflatten(1, (-1, groups))[:, : -2 * GRAIN].transpose(1, 2).flatten(0, 1)[None]


def _of(tile: Tile, rows: Tensor, groups: int) -> Tensor:
    return rows[:, tile.start * groups : (tile.start + tile.rows) * groups]
