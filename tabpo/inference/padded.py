"""Attention by SDPA over rows that stand side by side in a grid, filled up to the longest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Rows that stand side by side and ask about equally much, so that one kernel call takes them all.

    Attributes:
        rows: First of them, and the one behind the last.
        width: Places of these rows that are read.
        grid: (rows * most,) numbers of the tokens, the last one repeated in rows that have fewer.
        back: Where in `grid` each token is.
        places: (rows, most) places of the grid's tokens.
        masks: What was made for each sliding window that a layer asked for (None: no window).
    """

    rows: slice
    width: int
    grid: Tensor
    back: Tensor
    places: Tensor
    masks: dict[int | None, Tensor] = field(default_factory=dict)

    def mask(self, window: int | None, groups: int, dtype: torch.dtype) -> Tensor:
        """(rows, 1, groups * most, width), additive: a token sees its row up to itself."""
        if window not in self.masks:
            place, columns = self.places[:, None, :, None], torch.arange(self.width, device=self.places.device)
            hidden = columns > place if window is None else (columns > place) | (columns <= place - window)
            mask = torch.zeros(hidden.shape, dtype=dtype, device=place.device).masked_fill_(hidden, -torch.inf)
            self.masks[window] = mask if groups == 1 else mask.repeat(1, 1, groups, 1)
        return self.masks[window]


@dataclass(frozen=True)
class Padded:
    """Tokens of some rows.

    Attributes:
        parts: In the order of their rows.
        row: (tokens,) of each.
        place: (tokens,) in it.
        cosine: (tokens, 1, size) of their places.
        sine: Likewise, the first half with the other sign.
    """

    parts: Sequence[Part]
    row: Tensor
    place: Tensor
    cosine: Tensor
    sine: Tensor

    @classmethod
    def of(cls, row: np.ndarray, place: np.ndarray, split: int, cosine: Tensor, sine: Tensor) -> Self:
        """From the row and the place of each token, in order; rows from `split` on are a part of their own."""
        counts, device = np.bincount(row), cosine.device
        start = counts.cumsum() - counts
        parts = []
        for rows in (slice(0, split), slice(split, len(counts))):
            own = counts[rows, None]
            if own.size:
                step = np.arange(own.max())
                grid = start[rows, None] + np.minimum(step, own - 1)
                back, places = np.flatnonzero(step < own), place[grid]
                made = (torch.from_numpy(one).to(device) for one in (grid.ravel(), back, places))
                parts.append(Part(rows, rounded(int(places.max()) + 1), *made))
        at = torch.from_numpy(place).to(device)
        turns = (one.index_select(0, at)[:, None] for one in (cosine, sine))
        return cls(parts, torch.from_numpy(row).to(device), at, *turns)

    def keep(self, key: Tensor, value: Tensor, kept: Tensor) -> None:
        """Put keys, turned, and values in their places.

        Args:
            key: (tokens, key heads, size).
            value: Likewise.
            kept: (2, rows, key heads, places, size) keys and values.
        """
        for states, new in zip(kept, (self._turned(key), value), strict=True):
            states[self.row, :, self.place] = new.to(states.dtype)

    def attend(self, query: Tensor, kept: Tensor, window: int | None, scale: float) -> Tensor:
        """What each token sees of its row up to itself.

        Args:
            query: (tokens, heads, size).
            kept: (2, rows, key heads, places, size) keys and values.
            window: How many tokens are seen at most.
            scale: Of the scores.

        Returns:
            (tokens, heads * size).
        """
        query, heads = self._turned(query), kept.shape[2]
        groups = query.shape[1] // heads
        outputs = []
        for part in self.parts:  # heads that share keys are read as further queries: no key is copied for them
            rows, most = part.places.shape
            grid = query.index_select(0, part.grid).view(rows, most, heads, groups, -1).permute(0, 2, 3, 1, 4)
            keys, values = kept[:, part.rows, :, : part.width]
            grouped, mask = grid.reshape(rows, heads, groups * most, -1), part.mask(window, groups, kept.dtype)
            seen = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scale)
            by_token = seen.view(rows, heads, groups, most, -1).permute(0, 3, 1, 2, 4)
            outputs.append(by_token.reshape(rows * most, -1).index_select(0, part.back))
        return torch.cat(outputs)

    def _turned(self, states: Tensor) -> Tensor:
        """Rotary embedding, whose halves are turned against each other."""
        return states * self.cosine + states.roll(states.shape[-1] // 2, -1) * self.sine


def rounded(places: int) -> int:
    """Up to what kernels like: multiples of eight."""
    return -(-places // 8) * 8
