"""Prompts and answers in progress, a row each: new tokens of all rows are read in one call, written to their places.

What an earlier guess left behind in a row is written over.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from tabpo.inference.decoder import Reading, read, room, turns_of
from tabpo.inference.padded import Padded, rounded
from tabpo.inference.ragged import Ragged

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
        self.kept = room(model, size, rounded(places))
        self.turns = turns_of(model, rounded(places))

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
        counts, asked, start = np.array([len(new) for new in tokens]), np.array(wanted), np.array(known)
        self._grow(int((start + counts).max()))
        row = np.repeat(np.arange(len(counts)), counts)
        offset = np.arange(len(row)) - (counts.cumsum() - counts)[row]
        place = start[row] + offset
        every = wanted = self._places(row, place, split)
        numbers = None
        if (asked < counts).any():
            last = np.flatnonzero(offset >= (counts - asked)[row])
            wanted, numbers = self._places(row[last], place[last], split), torch.from_numpy(last).to(device)
        ids = torch.from_numpy(np.array([token for new in tokens for token in new])).to(device)
        return read(self.model, Reading(ids, every, wanted, numbers), self.kept)

    def copy(self, source: int, rows: range, known: int) -> None:
        """Let rows begin with so many tokens of another."""
        self.kept[:, :, rows.start : rows.stop, :, :known] = self.kept[:, :, source, None, :, :known].clone()

    def _grow(self, width: int) -> None:
        places = self.kept.shape[4]
        if width > places:
            more = rounded(width + ROOM)
            self.kept = F.pad(self.kept, (0, 0, 0, more - places))
            self.turns = turns_of(self.model, more)

    def _places(self, row: np.ndarray, place: np.ndarray, split: int) -> Ragged | Padded:
        """Of tokens, as the attention of the model's device wants them."""
        if self.model.device.type == "cpu":
            return Ragged(row, place, *(one.numpy() for one in self.turns))
        return Padded.of(row, place, split, *self.turns)
