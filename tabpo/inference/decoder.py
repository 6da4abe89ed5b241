"""A decoder's layers over packed tokens, without padding: the model's own parts in their order, and nothing else.

Linear layers, norms and activations are called as the model's modules, so that adapters, four bits and autocast are
what they are elsewhere. Everything but the attention sees one row of tokens, so that a row costs what it reads, be it
one token, a token and some that are only guessed, or a prompt. The last layer computes keys and values of all tokens,
and the rest only of those that logits are asked of.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tabpo.inference.padded import Padded
from tabpo.inference.ragged import Ragged


@dataclass(frozen=True)
class Reading:
    """What the layers are told of the N tokens that are read.

    Attributes:
        ids: (N,) tokens.
        every: Where all of them stand in their rows.
        wanted: Where those stand that logits are asked of.
        numbers: The latter's among all; None: all are.
    """

    ids: Tensor
    every: Ragged | Padded
    wanted: Ragged | Padded
    numbers: Tensor | None


def turns_of(model: PreTrainedModel, places: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the first places, (places, size), the first half of the sines with the other sign.

    Of a model for which they do not go by a text's length (`shares_prefixes`).
    """
    decoder = model.get_decoder()
    positions = torch.arange(places, device=model.device)
    cosine, sine = (one[0] for one in decoder.rotary_emb(decoder.embed_tokens.weight, positions[None]))
    half = sine.shape[-1] // 2
    return cosine, torch.cat([-sine[:, :half], sine[:, half:]], dim=-1)


def room(model: PreTrainedModel, rows: int, places: int) -> Tensor:
    """Zeros for keys and values of all layers: (layers, 2, rows, heads, places, size), in the attention's dtype.

    That is the kernel's under autocast, and on a CPU, whose attention has no shorter one, float32 at least.
    """
    attention, weights = model.get_decoder().layers[0].self_attn, model.get_decoder().embed_tokens.weight
    device = weights.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weights.dtype
    if device == "cpu":
        dtype = torch.promote_types(dtype, torch.float32)
    sizes = model.config.num_key_value_heads, places, attention.head_dim
    return weights.new_zeros(model.config.num_hidden_layers, 2, rows, *sizes, dtype=dtype)


def read(model: PreTrainedModel, reading: Reading, kept: Tensor) -> Tensor:
    """(wanted, vocabulary) logits of a model of one of `tabpo.training.attention.FAMILIES`.

    `kept`, a `room`, holds what the rows have read before, and is written to.
    """
    decoder = model.get_decoder()
    hidden = decoder.embed_tokens(reading.ids)
    for number, layer in enumerate(decoder.layers):
        attention, normed = layer.self_attn, layer.input_layernorm(hidden)
        reading.every.keep(_heads(attention, normed, "k"), _heads(attention, normed, "v"), kept[number])
        places = reading.every
        if number == len(decoder.layers) - 1:
            places = reading.wanted
            if reading.numbers is not None:
                hidden, normed = hidden[reading.numbers], normed[reading.numbers]
        query = _heads(attention, normed, "q")
        hidden = hidden + attention.o_proj(places.attend(query, kept[number], _window(attention), attention.scaling))
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return model.get_output_embeddings()(decoder.norm(hidden))


def _heads(attention: nn.Module, normed: Tensor, name: str) -> Tensor:
    """(tokens, heads, size) queries, keys or values, before they are turned."""
    states = getattr(attention, f"{name}_proj")(normed).unflatten(-1, (-1, attention.head_dim))
    norm = getattr(attention, f"{name}_norm", None)  # Qwen3's
    return states if norm is None else norm(states)


def _window(attention: nn.Module) -> int | None:
    """How many tokens a layer sees; Mistral says it for all, Qwen for each, Llama has none."""
    config = attention.config
    of_all = config.sliding_window if config.model_type == "mistral" else None
    return getattr(attention, "sliding_window", of_all)
