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

Turns = tuple[Tensor, Tensor]
"""Cosines and sines, the first half of the sines with the other sign."""


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
class Asking:
    """The tokens that a layer is asked about.

    Attributes:
        numbers: Of them among all that are read; None: all.
        turns: Cosines and sines of their positions, (tokens, 1, size).
        parts: In the order of their rows.
    """

    numbers: Tensor | None
    turns: Turns
    parts: Sequence[Part]


@dataclass(frozen=True)
class Reading:
    """What the layers are told of the N tokens that are read.

    Attributes:
        ids: (N,) tokens.
        slots: (N * heads,) where their keys and values go among a layer's rows * heads * places.
        every: All of them.
        wanted: Those that logits are asked of.
    """

    ids: Tensor
    slots: Tensor
    every: Asking
    wanted: Asking


def turns_of(model: PreTrainedModel, places: int) -> Turns:
    """Of the first places, of a model for which they do not go by a text's length (`shares_prefixes`)."""
    decoder = model.get_decoder()
    positions = torch.arange(places, device=model.device)
    cosine, sine = (one[0, :, None] for one in decoder.rotary_emb(decoder.embed_tokens.weight, positions[None]))
    half = sine.shape[-1] // 2
    return cosine, torch.cat([-sine[..., :half], sine[..., half:]], dim=-1)


def room(model: PreTrainedModel, rows: int, places: int) -> Tensor:
    """Zeros for keys and values of all layers: (layers, 2, rows, heads, places, size), in the kernel's dtype."""
    attention, weights = model.get_decoder().layers[0].self_attn, model.get_decoder().embed_tokens.weight
    device = weights.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weights.dtype
    sizes = model.config.num_key_value_heads, places, attention.head_dim
    return weights.new_zeros(model.config.num_hidden_layers, 2, rows, *sizes, dtype=dtype)


def read(model: PreTrainedModel, reading: Reading, kept: Tensor) -> Tensor:
    """(wanted, vocabulary) logits of a model of one of `tabpo.training.attention.FAMILIES`.

    `kept`, a `room`, holds what the rows have read before, and is written to.
    """
    decoder = model.get_decoder()
    hidden = decoder.embed_tokens(reading.ids)
    for number, layer in enumerate(decoder.layers):
        asking = reading.wanted if number == len(decoder.layers) - 1 else reading.every
        seen, hidden = _attend(layer, hidden, reading, asking, kept[number])
        hidden = hidden + layer.self_attn.o_proj(seen)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return model.get_output_embeddings()(decoder.norm(hidden))


def _attend(layer: nn.Module, hidden: Tensor, reading: Reading, asking: Asking, kept: Tensor) -> tuple[Tensor, Tensor]:
    """What the tokens that are asked about see, (tokens, heads * size), and their hidden states."""
    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    key = _turned(_heads(attention, normed, "k"), reading.every.turns)
    for states, new in zip(kept, (key, _heads(attention, normed, "v")), strict=True):
        states.view(-1, states.shape[-1]).index_copy_(0, reading.slots, new.flatten(0, 1).to(states.dtype))
    if asking.numbers is not None:
        hidden, normed = hidden[asking.numbers], normed[asking.numbers]
    query = _turned(_heads(attention, normed, "q"), asking.turns)
    heads, groups = key.shape[1], query.shape[1] // key.shape[1]
    outputs = []
    for part in asking.parts:  # heads that share keys are read as further queries: no key is copied for them
        rows, most = part.places.shape
        grid = query.index_select(0, part.grid).view(rows, most, heads, groups, -1).permute(0, 2, 3, 1, 4)
        keys, values = kept[:, part.rows, :, : part.width]
        mask = part.mask(_window(attention), groups, kept.dtype)
        grouped = grid.reshape(rows, heads, groups * most, -1)
        seen = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=attention.scaling)
        by_token = seen.view(rows, heads, groups, most, -1).permute(0, 3, 1, 2, 4)
        outputs.append(by_token.reshape(rows * most, -1).index_select(0, part.back))
    return torch.cat(outputs), hidden


def _heads(attention: nn.Module, normed: Tensor, name: str) -> Tensor:
    """(tokens, heads, size) queries, keys or values, before they are turned."""
    states = getattr(attention, f"{name}_proj")(normed).unflatten(-1, (-1, attention.head_dim))
    norm = getattr(attention, f"{name}_norm", None)  # Qwen3's
    return states if norm is None else norm(states)


def _turned(states: Tensor, turns: Turns) -> Tensor:
    """Rotary embedding, whose halves are turned against each other."""
    cosine, sine = turns
    return states * cosine + states.roll(states.shape[-1] // 2, -1) * sine


def _window(attention: nn.Module) -> int | None:
    """How many tokens a layer sees; Mistral says it for all, Qwen for each, Llama has none."""
    config = attention.config
    of_all = config.sliding_window if config.model_type == "mistral" else None
    return getattr(attention, "sliding_window", of_all)
