"""Prompts and answers in progress, a row each: new tokens of all rows are read in one call, written to their places.

What an earlier guess left behind in a row is written over.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from tabpo.inference.decoder import Asking, Part, Reading, read, room, turns_of

ROOM = 64
"""Tokens that the rows have more room for each time that they are full."""


class Rows:
    """Keys and values of a batch of rows; those in use stand before the others.

    Args:
        model: Of one of `tabpo.training.attention.FAMILIES`, on one device.
        size: How many rows there is room for.
        places: Tokens that each has room for at first.
    """

    def __init__(self, model: PreTrainedModel, size: int, places: int) -> None:
        self.model = model
        self.kept = room(model, size, _rounded(places))
        self.turns = turns_of(model, _rounded(places))

    def read(
        self, known: Sequence[int], tokens: Sequence[Sequence[int]], wanted: Sequence[int], split: int = 0
    ) -> Tensor:
        """Read tokens of the rows that are in use.

        Args:
            known: How many tokens of each row have been read and are right.
            tokens: What comes behind them, at least one token a row.
            wanted: How many logits of each row are asked for: those behind its last tokens.
            split: First of the rows that read much more, or less, than those before.

        Returns:
            (sum of `wanted`, vocabulary) logits, row by row.
        """
        device = self.model.device
        counts, asked = np.array([len(new) for new in tokens]), np.array(wanted)
        ends = np.array(known) + counts
        self._grow(int(ends.max()))
        heads, places = self.kept.shape[3:5]
        row, offset = _ragged(counts)
        slots = (row[:, None] * heads + np.arange(heads)) * places + (ends - counts)[row, None] + offset[:, None]
        every = self._asking(counts, counts, ends, split)
        last = every if (asked == counts).all() else self._asking(asked, counts, ends, split)
        ids = torch.tensor([token for new in tokens for token in new], device=device)
        return read(self.model, Reading(ids, torch.from_numpy(slots.ravel()).to(device), every, last), self.kept)

    def copy(self, source: int, rows: range, known: int) -> None:
        """Let rows begin with what another has."""
        self.kept[:, :, rows.start : rows.stop, :, :known] = self.kept[:, :, source, None, :, :known].clone()

    def keep(self, order: Sequence[int]) -> None:
        """Row i becomes what row order[i] was; only those that change their place are copied."""
        places = [place for place, row in enumerate(order) if place != row]
        self.kept[:, :, places] = self.kept[:, :, [order[place] for place in places]]

    def _grow(self, width: int) -> None:
        places = self.kept.shape[4]
        if width > places:
            more = _rounded(width + ROOM)
            self.kept = F.pad(self.kept, (0, 0, 0, more - places))
            self.turns = turns_of(self.model, more)

    def _asking(self, counts: np.ndarray, read: np.ndarray, ends: np.ndarray, split: int) -> Asking:
        """About the last tokens of each row: so many, of so many that are read, before the place where they end."""
        device = self.model.device
        row, offset = _ragged(counts)
        back = counts[row] - offset  # counted from the end of its row
        places, numbers = ends[row] - back, read.cumsum()[row] - back
        parts = []
        for first, last in ((0, split), (split, len(counts))):
            if first < last:
                own, most = counts[first:last], int(counts[first:last].max())
                grid = (counts.cumsum() - counts)[first:last, None] + np.minimum(np.arange(most), own[:, None] - 1)
                inside, offset = _ragged(own)
                made = (torch.from_numpy(one).to(device) for one in (grid.ravel(), inside * most + offset, places[grid]))
                parts.append(Part(slice(first, last), _rounded(int(ends[first:last].max())), *made))
        given = None if counts is read else torch.from_numpy(numbers).to(device)
        at = torch.from_numpy(places).to(device)
        return Asking(given, tuple(one.index_select(0, at) for one in self.turns), parts)


def _rounded(places: int) -> int:
    """Up to what kernels like: multiples of eight."""
    return -(-places // 8) * 8


def _ragged(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each of so many things of each row: its row, and how many of the row come before it."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - (counts.cumsum() - counts)[row]
