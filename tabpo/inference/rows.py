"""Prompts and answers in progress, a row each: new tokens of all rows are read packed, without padding, in one call.

Everything but the attention sees one row of tokens, so that a row costs what it reads, be it one token, a token and
some that are only guessed, or a prompt. The attention writes each token to its place in its row's keys and values,
where what an earlier guess left behind is written over, and reads them up to that place.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

ROOM = 64
"""Tokens that the rows have more room for each time that they are full."""

_NAME = "rows"


@dataclass(frozen=True)
class Part:
    """Rows that stand side by side and read about equally many new tokens, so that one kernel call takes them all.

    Attributes:
        rows: First of them, and the one behind the last.
        tokens: First of their tokens among those of all parts, and the one behind the last.
        grid: (rows, most) numbers of the tokens, the last one repeated in rows that have fewer.
        masks: What was made for each sliding window that a layer asked for (None: no window).
    """

    rows: tuple[int, int]
    tokens: tuple[int, int]
    grid: Tensor
    masks: dict[int | None, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What the attention of every layer is told of the N tokens that are read.

    Attributes:
        rooms: Keys and values of each layer, (rows, heads, places, width); made by the first call.
        shape: Rows and places of a layer's.
        parts: In the order of their rows.
        row: (N,) row of each token.
        place: (N,) its place there, which is its position.
        offset: (N,) how many tokens of its row are read before it.
        width: Places that are read.
    """

    rooms: dict[int, tuple[Tensor, Tensor]]
    shape: tuple[int, int]
    parts: Sequence[Part]
    row: Tensor
    place: Tensor
    offset: Tensor
    width: int

    def keep(self, layer: int, states: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Write keys and values, (1, heads, N, width) each; all there are of all rows, in the kernel's dtype."""
        if layer not in self.rooms:
            size, places = self.shape
            self.rooms[layer] = tuple(
                new.new_zeros(size, new.shape[1], places, new.shape[3], dtype=_kernel_dtype(new)) for new in states
            )
        for room, new in zip(self.rooms[layer], states, strict=True):
            room[self.row, :, self.place] = new[0].transpose(0, 1).to(room.dtype)
        return self.rooms[layer]

    def mask(self, part: Part, window: int | None, groups: int, dtype: torch.dtype) -> Tensor:
        """(rows, 1, groups * most, width), additive: a token sees its row up to itself."""
        if window not in part.masks:
            back = self.place[part.grid][:, None, :, None] - torch.arange(self.width, device=self.place.device)
            seen = back >= 0 if window is None else (back >= 0) & (back < window)
            mask = torch.zeros_like(back, dtype=dtype).masked_fill_(~seen, -torch.inf)
            part.masks[window] = mask.repeat(1, 1, groups, 1)
        return part.masks[window]


class Rows:
    """Keys and values of a batch of rows; those in use stand before the others.

    Args:
        model: Of one of `tabpo.training.attention.FAMILIES`, inside `reading_rows`.
        size: How many rows there is room for.
    """

    def __init__(self, model: PreTrainedModel, size: int) -> None:
        self.model, self.size, self.places = model, size, 0
        self.rooms: dict[int, tuple[Tensor, Tensor]] = {}

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
        counts = [len(new) for new in tokens]
        ends = [0, *accumulate(counts)]
        width = -(-max(map(sum, zip(known, counts, strict=True))) // 8) * 8  # kernels like multiples of eight
        self._grow(width)
        spots = [
            (row, read + offset, offset)
            for row, (read, count) in enumerate(zip(known, counts, strict=True))
            for offset in range(count)
        ]
        device = self.model.device
        ids = torch.tensor([[token for new in tokens for token in new]], device=device)
        row, place, offset = torch.tensor(spots).t().to(device)
        asked = [end - back for end, count in zip(ends[1:], wanted, strict=True) for back in range(count, 0, -1)]
        limits = [limit for limit in ((0, split), (split, len(counts))) if limit[0] < limit[1]]
        parts = [Part(limit, (ends[limit[0]], ends[limit[1]]), _grid(ends, *limit).to(device)) for limit in limits]
        return self.model(
            input_ids=ids,
            position_ids=place[None],
            attention_mask=ids.new_ones(1, 1, 1, 1),  # given four dimensions, transformers makes no mask itself
            logits_to_keep=torch.tensor(asked, device=device),
            use_cache=False,
            reading=Reading(self.rooms, (self.size, self.places), parts, row, place, offset, width),
        ).logits[0]

    def copy(self, source: int, rows: range, known: int) -> None:
        """Let rows begin with what another has."""
        for room in self._all():
            room[rows.start : rows.stop, :, :known] = room[source, :, :known].clone()

    def keep(self, order: Sequence[int]) -> None:
        """Row i becomes what row order[i] was; only those that change their place are copied."""
        places = [place for place, row in enumerate(order) if place != row]
        for room in self._all():
            room[places] = room[[order[place] for place in places]]

    def _all(self) -> Iterator[Tensor]:
        return (room for both in self.rooms.values() for room in both)

    def _grow(self, width: int) -> None:
        if width > self.places:
            more, self.places = width + ROOM - self.places, width + ROOM
            for layer, both in self.rooms.items():
                self.rooms[layer] = tuple(F.pad(room, (0, 0, 0, more)) for room in both)


@contextmanager
def reading_rows(model: PreTrainedModel) -> Iterator[None]:
    """Let the model's attention read `Rows`, by PyTorch's own kernel; afterwards it is what it was."""
    before = model.config._attn_implementation
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    reading: Reading,
    scaling: float,
    sliding_window: int | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Attention of packed tokens, (1, heads, N, width), over their rows; gives (1, N, heads, width) and no weights."""
    kept = reading.keep(module.layer_idx, (key, value))
    heads = kept[0].shape[1]
    groups = query.shape[1] // heads  # heads that share keys are read as further queries: no key is copied for them
    outputs = []
    for part in reading.parts:
        keys, values = (room[slice(*part.rows), :, : reading.width] for room in kept)
        queries = query[0].transpose(0, 1)[part.grid].transpose(1, 2)  # (rows, heads, most, width)
        grouped = queries.reshape(len(queries), heads, -1, queries.shape[-1])
        mask = reading.mask(part, sliding_window, groups, keys.dtype)
        seen = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scaling)
        seen = seen.reshape(len(queries), heads * groups, -1, seen.shape[-1])
        tokens = slice(*part.tokens)
        outputs.append(seen[reading.row[tokens] - part.rows[0], :, reading.offset[tokens]])
    return torch.cat(outputs)[None], None


def _grid(ends: Sequence[int], first: int, last: int) -> Tensor:
    """Numbers of the tokens of some rows, (rows, most), the last one repeated; tokens of row i end at ends[i + 1]."""
    ends = torch.tensor(ends[first : last + 1])
    return (ends[:-1, None] + torch.arange(int(ends.diff().max()))).minimum(ends[1:, None] - 1)


def _kernel_dtype(states: Tensor) -> torch.dtype:
    """What the kernel computes in."""
    device = states.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype


AttentionInterface.register(_NAME, _attend)
