"""Make models with random weights in the measured shapes, and a tokenizer for them."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config

PAD, END = 0, 1
SHAPES = {
    "4m": {"hidden_size": 256, "num_hidden_layers": 4, "heads": (4, 2), "intermediate_size": 768, "vocab_size": 4096},
    "1.5b": {
        "hidden_size": 1536,
        "num_hidden_layers": 28,
        "heads": (12, 2),
        "intermediate_size": 8960,
        "vocab_size": 151936,
    },
}
"""Shapes of Qwen2 models with tied embeddings."""


class Asked(Protocol):
    """What a case states about its model: its name in `SHAPES`, its attention and its device."""

    model: str
    attention: str
    device: str

    @property
    def vocabulary(self) -> int:
        """Size of the model's vocabulary."""


def configuration(shape: str, **others: object) -> "Qwen2Config":
    """Return the configuration of one of `SHAPES`."""
    from transformers import Qwen2Config

    sizes = dict(SHAPES[shape])
    heads, key_value = sizes.pop("heads")
    return Qwen2Config(
        **sizes,
        num_attention_heads=heads,
        num_key_value_heads=key_value,
        tie_word_embeddings=True,
        max_position_embeddings=4096,
        **others,
    )


def policy(case: Asked) -> "PreTrainedModel":
    """Return a model with random weights, which are equal in every process."""
    import torch
    from transformers import Qwen2ForCausalLM

    config = configuration(case.model, pad_token_id=PAD, eos_token_id=END, attn_implementation=case.attention)
    torch.manual_seed(0)
    with torch.device(case.device):  # 1.5B weights are drawn in a second on a GPU, in many on a CPU
        return Qwen2ForCausalLM(config)


def with_adapters(model: "PreTrainedModel") -> "PeftModel":
    """Return the model with adapters as `training.lora` adds them."""
    from tabpo.models.adapters import add_adapters
    from tabpo.study.training import LoraSettings

    return add_adapters(model, LoraSettings(r=16, alpha=32.0), seed=0)


def words(case: Asked) -> list[str]:
    """Return one word for each token."""
    return ["<pad>", "<end>", *(f"w{number}" for number in range(2, case.vocabulary))]


def tokenizer(names: list[str]) -> "PreTrainedTokenizerFast":
    """Return a tokenizer with one token for each word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(names)}))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<end>")
