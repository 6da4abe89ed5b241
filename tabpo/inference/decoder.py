"""A decoder's layers over packed tokens, without padding: the model's own parts in their order, and nothing else.

Linear layers, norms and activations are called as the model's modules, so that adapters, four bits and autocast are
what they are elsewhere. Everything but the attention sees one row of tokens, so that a row costs what it reads, be it
one token, a token and some that are only guessed, or a prompt. The last layer computes keys and values of all tokens,
and the rest only of those that logits are asked of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

States = tuple[Tensor, Tensor]
"""Two of a kind: keys and values of a layer, or cosines and sines."""


@dataclass(frozen=True)
class Part:
    """Rows that stand side by side and ask about equally much, so that one kernel call takes them all.

    Attributes:
        rows: First of them, and the one behind the last.
        grid: (rows * most,) numbers of the tokens, the last one repeated in rows that have fewer.
        back: Where in `grid` each token is.
        places: (rows, most) places of the grid's tokens.
        masks: What was made for each sliding window that a layer asked for (None: no window).
    """

    rows: slice
    grid: Tensor
    back: Tensor
    places: Tensor
    masks: dict[int | None, Tensor] = field(default_factory=dict)

    def mask(self, window: int | None, groups: int, keys: Tensor) -> Tensor:
        """(rows, 1, groups * most, width), additive: a token sees its row up to itself."""
        if window not in self.masks:
            place = self.places.repeat(1, groups)[:, None, :, None]
            columns = torch.arange(keys.shape[2], device=place.device)
            seen = columns <= place if window is None else (columns <= place) & (columns > place - window)
            self.masks[window] = torch.where(seen, 0.0, -torch.inf).to(keys.dtype)
        return self.masks[window]


@dataclass(frozen=True)
class Asking:
    """The tokens that a layer is asked about.

    Attributes:
        numbers: Of them among all that are read; None: all.
        places: In their rows; these are their positions.
        parts: In the order of their rows.
    """

    numbers: Tensor | None
    places: Tensor
    parts: Sequence[Part]


@dataclass(frozen=True)
class Reading:
    """What the layers are told of the N tokens that are read.

    Attributes:
        ids: (N,) tokens.
        row: (N,) row of each.
        every: All of them.
        wanted: Those that logits are asked of.
        width: Places that are read.
    """

    ids: Tensor
    row: Tensor
    every: Asking
    wanted: Asking
    width: int


@dataclass(frozen=True)
class Rooms:
    """Keys and values of rows.

    Attributes:
        turns: Cosines and sines of each place, (places, 1, size); the first half of the sines with the other sign.
        layers: (rows, heads, places, size) of each layer, in the dtype that the kernel computes in.
        rows: How many there is room for.
    """

    turns: States
    layers: dict[int, States]
    rows: int

    def keep(self, layer: int, states: States, reading: Reading) -> States:
        """Write (N, heads, size) each; all there are, up to the width that is read."""
        places = len(self.turns[0])
        if layer not in self.layers:
            self.layers[layer] = tuple(
                new.new_zeros(self.rows, new.shape[1], places, new.shape[2], dtype=_kernel_dtype(new)) for new in states
            )
        heads = states[0].shape[1]
        first = reading.row * (heads * places) + reading.every.places
        index = (first[:, None] + torch.arange(0, heads * places, places, device=first.device)).flatten()
        for room, new in zip(self.layers[layer], states, strict=True):
            room.view(-1, room.shape[-1]).index_copy_(0, index, new.reshape(len(index), -1).to(room.dtype))
        return tuple(room[:, :, : reading.width] for room in self.layers[layer])


def turns_of(model: PreTrainedModel, places: int) -> States:
    """Of the first places, of a model for which they do not go by a text's length (`shares_prefixes`)."""
    decoder = model.get_decoder()
    positions = torch.arange(places, device=model.device)
    cosine, sine = (one[0, :, None] for one in decoder.rotary_emb(decoder.embed_tokens.weight, positions[None]))
    half = sine.shape[-1] // 2
    return cosine, torch.cat([-sine[..., :half], sine[..., half:]], dim=-1)


def read(model: PreTrainedModel, reading: Reading, rooms: Rooms) -> Tensor:
    """(wanted, vocabulary) logits of a model of one of `tabpo.training.attention.FAMILIES`; `rooms` is written to."""
    decoder = model.get_decoder()
    hidden = decoder.embed_tokens(reading.ids)
    for number, layer in enumerate(decoder.layers):
        asking = reading.wanted if number == len(decoder.layers) - 1 else reading.every
        seen, hidden = _attend(layer, number, hidden, reading, asking, rooms)
        hidden = hidden + layer.self_attn.o_proj(seen)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return model.get_output_embeddings()(decoder.norm(hidden))


def _attend(
    layer: nn.Module, number: int, hidden: Tensor, reading: Reading, asking: Asking, rooms: Rooms
) -> tuple[Tensor, Tensor]:
    """What the tokens that are asked about see, (tokens, heads * size), and their hidden states."""
    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    key = _turned(_heads(attention, normed, "k"), rooms.turns, reading.every.places)
    keys, values = rooms.keep(number, (key, _heads(attention, normed, "v")), reading)
    if asking.numbers is not None:
        hidden, normed = hidden[asking.numbers], normed[asking.numbers]
    query = _turned(_heads(attention, normed, "q"), rooms.turns, asking.places)
    heads, groups = keys.shape[1], query.shape[1] // keys.shape[1]
    outputs = []
    for part in asking.parts:  # heads that share keys are read as further queries: no key is copied for them
        rows, most = part.places.shape
        grid = query.index_select(0, part.grid).view(rows, most, heads, groups, -1).permute(0, 2, 3, 1, 4)
        grouped = grid.reshape(rows, heads, groups * most, -1)
        mask = part.mask(_window(attention), groups, keys)
        seen = F.scaled_dot_product_attention(
            grouped, keys[part.rows], values[part.rows], attn_mask=mask, scale=attention.scaling
        )
        by_token = seen.view(rows, heads, groups, most, -1).permute(0, 3, 1, 2, 4)
        outputs.append(by_token.reshape(rows * most, -1).index_select(0, part.back))
    return torch.cat(outputs), hidden


def _heads(attention: nn.Module, normed: Tensor, name: str) -> Tensor:
    """(tokens, heads, size) queries, keys or values, before they are turned."""
    states = getattr(attention, f"{name}_proj")(normed).unflatten(-1, (-1, attention.head_dim))
    norm = getattr(attention, f"{name}_norm", None)  # Qwen3's
    return states if norm is None else norm(states)


def _turned(states: Tensor, turns: States, places: Tensor) -> Tensor:
    """Rotary embedding, whose halves are turned against each other."""
    cosine, sine = (one.index_select(0, places) for one in turns)
    return states * cosine + states.roll(states.shape[-1] // 2, -1) * sine


def _window(attention: nn.Module) -> int | None:
    """How many tokens a layer sees; Mistral says it for all, Qwen for each, Llama has none."""
    config = attention.config
    of_all = config.sliding_window if config.model_type == "mistral" else None
    return getattr(attention, "sliding_window", of_all)


def _kernel_dtype(states: Tensor) -> torch.dtype:
    """What the kernel computes in."""
    device = states.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
