"""Small random models of every family that reads packed rows."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

FAMILIES = {
    "llama": {},
    "qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},  # the second layer's
    "qwen3": {},
    "mistral": {"sliding_window": 6},
}


@pytest.fixture(scope="session", params=FAMILIES)
def any_model(request):
    """In float64, so that two tokens are hardly ever alike; heads share keys, windows are shorter than prompts."""
    torch.manual_seed(1)
    config = AutoConfig.for_model(
        request.param,
        vocab_size=30,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=4,
        initializer_range=0.5,
        **FAMILIES[request.param],
    )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float64, attn_implementation="sdpa").eval()
