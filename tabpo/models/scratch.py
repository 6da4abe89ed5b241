"""A small causal language model from scratch, optionally with an induction circuit in its initial weights."""

from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM
from transformers import PreTrainedTokenizerBase as Tokenizer

from tabpo.errors import ConfigError

ARCHITECTURES = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}

_ROPE_THETA = 10000.0
_PREVIOUS_TOKEN_BIAS = 4.5
_OTHER_SCORES = 0.1
_OUTPUT_GAIN = 4.0


@dataclass(frozen=True)
class ScratchModel:
    """Shape and initialisation of a model; the embedding is tied and has one row per token of the tokenizer.

    Attributes:
        architecture: qwen2 or llama.
        hidden_size: Width of the hidden states, a multiple of twice `heads`.
        heads: Number of attention heads, the same for queries, keys and values.
        vocab_size: Upper bound of the tokenizer's vocabulary.
        max_positions: Longest sequence in tokens.
        init_std: Standard deviation of the initial weights.
        seed: Seed of the initial weights.
        copy_circuit: Whether to write the induction circuit into layers 0 and 1; this needs qwen2 with at least 2
            layers and 2 heads.
    """

    architecture: str
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    init_std: float
    seed: int
    copy_circuit: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(
                f"scratch: unknown architecture {self.architecture}; there are: {', '.join(ARCHITECTURES)}"
            )
        if self.hidden_size % (2 * self.heads):
            raise ConfigError(f"scratch: hidden_size {self.hidden_size} is no multiple of twice heads ({self.heads})")
        if self.copy_circuit and self.architecture != "qwen2":
            raise ConfigError("scratch: copy_circuit needs the query and key biases of qwen2; llama has none")
        if self.copy_circuit and min(self.layers, self.heads) < 2:
            raise ConfigError("scratch: copy_circuit needs at least 2 layers and 2 heads")


def build_model(settings: ScratchModel, tokenizer: Tokenizer) -> PreTrainedModel:
    """The model in float32; the same settings and number of tokens give the same weights."""
    config_class, model_class = ARCHITECTURES[settings.architecture]
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=settings.max_positions,
        initializer_range=settings.init_std,
        rope_parameters={"rope_type": "default", "rope_theta": _ROPE_THETA},
        tie_word_embeddings=True,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = model_class(config)
        if settings.copy_circuit:
            write_copy_circuit(model)
    return model


@torch.no_grad()
def write_copy_circuit(model: PreTrainedModel) -> None:
    """Write an induction circuit into head 0 of layers 0 and 1 of a new Qwen2 model; all weights stay trainable.

    P, P2 and P3 have orthonormal rows (head size x hidden size); P and P2 are orthogonal to each other:

        layer 0: every query attends to the previous position, whatever the tokens are; value P, output P2^T.
                 Each position then holds the previous token in the space of P2.
        layer 1: query P, key P2, value P3, output P3^T.
                 A query finds the position that follows an earlier occurrence of its token, and adds the token there.

    The attention to the previous position comes from biases. On the fastest quarter of the rotary frequencies w the
    query is c (cos 0, sin 0) and the key is c (cos w, sin w). After the rotary embedding of their positions t and s the
    score is c^2 cos(w (t - s - 1)), which is largest at s = t - 1. Outputs are scaled to 4 initial standard deviations,
    about the size of the embeddings. Without the circuit a model learns to copy after 250 to 600 steps, depending on
    the seed.
    """
    config = model.config
    size = config.hidden_size // config.num_attention_heads
    both = torch.linalg.qr(torch.randn(config.hidden_size, 2 * size)).Q.T
    current, previous = both[:size], both[size:]
    copied = torch.linalg.qr(torch.randn(config.hidden_size, size)).Q.T
    gain = _OUTPUT_GAIN * config.initializer_range

    first = model.model.layers[0].self_attn
    pairs = size // 2
    fast = torch.arange(max(1, pairs // 4))
    frequency = _ROPE_THETA ** (-fast / pairs)
    first.q_proj.weight[:size] *= _OTHER_SCORES
    first.k_proj.weight[:size] *= _OTHER_SCORES
    first.q_proj.bias[fast] = _PREVIOUS_TOKEN_BIAS
    first.k_proj.bias[fast] = _PREVIOUS_TOKEN_BIAS * frequency.cos()
    first.k_proj.bias[fast + pairs] = _PREVIOUS_TOKEN_BIAS * frequency.sin()
    first.v_proj.weight[:size] = current
    first.o_proj.weight[:, :size] = gain * previous.T

    second = model.model.layers[1].self_attn
    second.q_proj.weight[:size] = current
    second.k_proj.weight[:size] = previous
    second.v_proj.weight[:size] = copied
    second.o_proj.weight[:, :size] = gain * copied.T
