"""QLoRA (arXiv 2305.14314): frozen weights in four bits under adapters, on GPUs, by the optional bitsandbytes."""

from importlib.util import find_spec
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from tabpo.errors import ConfigError


def check_quantizable() -> None:
    """Refuse a machine on which weights in four bits cannot be loaded.

    Raises:
        ConfigError: torch sees no GPU, or bitsandbytes is not installed.
    """
    if not torch.cuda.is_available():
        raise ConfigError("training.lora.quantize nf4 needs a GPU, and torch sees none; accepted here: null")
    if find_spec("bitsandbytes") is None:
        raise ConfigError(
            "training.lora.quantize nf4 needs the package bitsandbytes, which is not among the requirements:"
            " pip install bitsandbytes, or quantize: null"
        )


def quantized(numerics: dict) -> dict[str, Any]:
    """Arguments of `from_pretrained` for linear layers, except the head, in NF4 with quantized scales on this GPU.

    Args:
        numerics: As for `models.loading.load_model`; matrix products run in its precision.
    """
    products = torch.bfloat16 if numerics["precision"] == "bf16" else torch.float32
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=products,
    )
    return {"quantization_config": four_bits, "device_map": {"": torch.cuda.current_device()}}
