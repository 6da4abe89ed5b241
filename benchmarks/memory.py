"""Estimate the memory that one GPU needs for a preference step of the paper's models, without allocating it.

Parameters, adapters and saved activations are counted on torch's meta device, for the resource class, the adapters and
the ZeRO stage that a study sets for the model. These are estimates of the peak. They do not include the allocator's
fragmentation (commonly some per cent), NCCL buffers and the CUDA context.

    python -m benchmarks.memory [--config config/config.yaml] [--prompt 1200] [--completion 300]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, Qwen2Config

from tabpo.scoring import logits as logits_module

GIB = 2**30
BF16, FP32 = 2, 4

SHAPES = {
    "Qwen/Qwen2.5-1.5B-Instruct": (Qwen2Config, 1536, 28, 12, 2, 8960, 151936, True),
    "Qwen/Qwen2.5-7B-Instruct": (Qwen2Config, 3584, 28, 28, 4, 18944, 152064, False),
    "Qwen/Qwen2.5-14B-Instruct": (Qwen2Config, 5120, 48, 40, 8, 13824, 152064, False),
    "meta-llama/Llama-3.2-3B-Instruct": (LlamaConfig, 3072, 28, 24, 8, 8192, 128256, True),
    "meta-llama/Llama-3.1-8B-Instruct": (LlamaConfig, 4096, 32, 32, 8, 14336, 128256, False),
    "meta-llama/Llama-3.3-70B-Instruct": (LlamaConfig, 8192, 80, 64, 8, 28672, 128256, False),
}
"""From each model's config.json: class, hidden size, layers, heads, key-value heads, inner size, vocabulary, tied."""


def main() -> None:
    """Print one row for each model as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    parser.add_argument("--prompt", type=int, default=1200, help="tokens")
    parser.add_argument("--completion", type=int, default=300, help="tokens, of which the last half differs")
    args = parser.parse_args()
    study = yaml.safe_load(args.config.read_text())
    tokens = args.prompt + args.completion // 2 + 2 * (args.completion - args.completion // 2)
    states = args.completion // 2 + 2 * (args.completion - args.completion // 2)
    for name, entry in study["models"].items():
        settings = study["training"]["preference"] | entry.get("training", {}).get("preference", {})
        machine = study["resources"][entry["resources"]]
        print(json.dumps(estimate(name, entry["hub"], settings, machine["processes"], tokens, states)))


def estimate(name: str, hub: str, settings: dict, processes: int, tokens: int, states: int) -> dict:
    """Estimate the GiB on each GPU at the peak of a step with one pair in a micro-batch.

    Args:
        name: Name of the model in the study.
        hub: One of `SHAPES`.
        settings: Settings of preference training: lora, deepspeed.
        processes: Number of processes among which the ZeRO stage divides tensors.
        tokens: Tokens of one pair, with the shared prefix counted once.
        states: Hidden states that the output head reads.
    """
    model = shape(hub)
    stage = int(settings["deepspeed"].removeprefix("zero")[0]) if "deepspeed" in settings else None
    frozen = sum(parameter.numel() for parameter in model.parameters())
    embedded = model.get_input_embeddings().weight.numel()
    layer = saved_bytes(model.model.layers[0], model, tokens)
    lora = settings["lora"]
    adapted = get_peft_model(model, LoraConfig(r=lora["r"], target_modules=lora["target_modules"]))
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    logits = states * model.config.vocab_size
    parts = {
        # Frozen linear weights are bfloat16, or float32 if ZeRO-3 divides them. Trained weights, the embedding and
        # the states between layers are float32.
        "weights": frozen * BF16 + embedded * (FP32 - BF16) + trained * FP32
        if stage != 3
        else (frozen + trained) * FP32 / processes,
        # AdamW has two moments; from ZeRO-1 on, these and a copy of the weights are divided; from ZeRO-2 on, gradients.
        "optimizer": trained * 3 * FP32 / processes if stage else trained * 2 * FP32,
        "gradients": trained * FP32 / (processes if stage in (2, 3) else 1),
        "checkpointed": tokens * model.config.hidden_size * FP32 * len(model.model.layers),
        "one_layer": layer + (0 if stage != 3 else frozen / len(model.model.layers) * FP32),
        # One chunk of logits and its gradient, and one block of it in float32.
        "head": 2 * BF16 * min(logits, logits_module._CHUNK_ELEMENTS)
        + 2 * FP32 * min(logits, logits_module._BLOCK_ELEMENTS["cuda"]),
    }
    return {
        "model": name,
        "parameters": frozen,
        "trained": trained,
        "gpus": processes,
        "zero": stage,
        "tokens": tokens,
        **{f"{part}_gib": round(size / GIB, 2) for part, size in parts.items()},
        "peak_gib": round(sum(parts.values()) / GIB, 1),
    }


def shape(hub: str) -> PreTrainedModel:
    """Return the model in bfloat16, without storage."""
    kind, hidden, layers, heads, key_value, inner, vocabulary, tied = SHAPES[hub]
    config = kind(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value,
        intermediate_size=inner,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)


def saved_bytes(layer: nn.Module, model: PreTrainedModel, tokens: int) -> int:
    """Bytes that autograd saves in one layer for a row of `tokens`, without the layer's parameters."""
    states = torch.empty(1, tokens, model.config.hidden_size, dtype=torch.bfloat16, device="meta", requires_grad=True)
    positions = torch.arange(tokens, device="meta").unsqueeze(0)
    with torch.device("meta"):
        rotary = model.model.rotary_emb(states, positions)
    parameters = {id(parameter) for parameter in layer.parameters()}
    return _kept(lambda: layer(states, position_embeddings=rotary, position_ids=positions), parameters)


def _kept(forward: Callable[[], object], left_out: set[int]) -> int:
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        base = tensor if tensor._base is None else tensor._base
        if id(base) not in left_out:
            kept[id(base)] = base.numel() * base.element_size()
            alive.append(base)  # keep the object alive: ids are unique only among living objects
        return tensor

    alive: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = forward()
    del output
    return sum(kept.values())


if __name__ == "__main__":
    main()
