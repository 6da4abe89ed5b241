"""LoRA: adapters are added before training, and merged afterwards, when a model is written or when it is read."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import ConfigError, DataError
from tabpo.models.manifest import read_manifest
from tabpo.study.training import LoraSettings

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""Names of peft's files, which vLLM reads too."""

MERGE_ROWS = 8
"""Number of held-out rows that a merge is checked on."""

MERGE_BAR = 1e-2
"""Largest accepted change of a log-prob by a merge in float32, nats; two layers of random weights had 1e-6."""


def add_adapters(model: PreTrainedModel, lora: LoraSettings, seed: int) -> PeftModel:
    """Add new adapters to a model; only they are trained, and they change no output before the first step.

    Raises:
        ConfigError: The model lacks a target module; also raised by `check_tied`.
    """
    layers = {name.rsplit(".")[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    missing = sorted(set(lora.target_modules) - layers)
    if missing:
        raise ConfigError(f"training.lora.target_modules: no layer {', '.join(missing)}; there are: {sorted(layers)}")
    check_tied(model, lora)
    torch.manual_seed(seed)
    return get_peft_model(model, _config(lora))


def check_tied(model: PreTrainedModel, lora: LoraSettings) -> None:
    """Refuse adapters on a layer that shares its weights with the embedding, because a merge would change both.

    Raises:
        ConfigError: The message names the layers.
    """
    embedding = model.get_input_embeddings().weight
    tied = {
        name.rsplit(".")[-1] for name, layer in model.named_modules() if getattr(layer, "weight", None) is embedding
    }
    refused = sorted(tied & set(lora.target_modules))
    if refused:
        raise ConfigError(
            f"training.lora.target_modules: {', '.join(refused)} shares its weights with the embedding, which a merge"
            " would change too; accepted: other layers"
        )


def merged(
    model: PreTrainedModel, adapters: Mapping[str, Tensor], lora: LoraSettings, rows: Sequence[Sequence[int]]
) -> tuple[PreTrainedModel, float]:
    """Merge trained adapters into a model, in float32 whatever precision training used.

    Args:
        model: The model that training started from, in float32 on the CPU; it is changed.
        adapters: Adapter weights by name, from `peft.get_peft_model_state_dict`.
        lora: As for `add_adapters`.
        rows: Token ids on which the model is compared before and after the merge.

    Returns:
        The merged model, and the largest change of a next-token log-prob on the rows, in nats.

    Raises:
        DataError: This change is larger than `MERGE_BAR`, so the merged model is not the trained one.
    """
    adapted = _with_weights(model, _config(lora), adapters)
    before = _next_token_logps(adapted, rows)
    whole = adapted.merge_and_unload()
    pairs = zip(before, _next_token_logps(whole, rows), strict=True)
    difference = max((float((logps - after).abs().max()) for logps, after in pairs), default=0.0)
    if not difference <= MERGE_BAR:
        raise DataError(
            f"merging the adapters changed log-probs by up to {difference:.3g} nats; at most {MERGE_BAR} is accepted"
        )
    return whole, difference


def save_adapters(
    adapters: Mapping[str, Tensor], lora: LoraSettings, tokenizer: PreTrainedTokenizerBase, start: Path, folder: Path
) -> None:
    """Write adapters in peft's format, the tokenizer, and a manifest that names the model below the adapters.

    The hash in the manifest depends on the adapters and on the model below them. The files depend on the place of
    `start` relative to `folder`, but on nothing else about either place.

    Args:
        adapters: As for `merged`.
        lora: As for `add_adapters`.
        tokenizer: Tokenizer of the model.
        start: Folder of the model that training started from.
        folder: An existing folder.
    """
    save_file({name: adapter.float().contiguous() for name, adapter in adapters.items()}, folder / WEIGHTS)
    config = _config(lora).to_dict()
    write_json(folder / CONFIG, config | {"target_modules": lora.target_modules, "inference_mode": True})
    tokenizer.save_pretrained(folder)
    below = read_manifest(start)["weights_sha256"]
    write_json(
        folder / "manifest.json",
        {
            "kind": "adapters",
            "weights_sha256": sha256_text(f"{below} {sha256_file(folder / WEIGHTS)}"),
            "base": os.path.relpath(start, folder),
            "base_weights_sha256": below,
        },
    )


def merged_from(folder: Path, model: PreTrainedModel) -> PreTrainedModel:
    """Merge the adapters in a folder from `save_adapters` into the model below them, as `merged` does, to the bit."""
    return _with_weights(model, LoraConfig.from_pretrained(folder), load_file(folder / WEIGHTS)).merge_and_unload()


def _with_weights(model: PreTrainedModel, config: LoraConfig, adapters: Mapping[str, Tensor]) -> PeftModel:
    adapted = get_peft_model(model, config).eval()
    set_peft_model_state_dict(adapted, {name: adapter.float() for name, adapter in adapters.items()})
    return adapted


@torch.no_grad()
def _next_token_logps(model: nn.Module, rows: Sequence[Sequence[int]]) -> list[Tensor]:
    """Log-probs of all tokens of each row except the first, (tokens - 1,) float32."""
    logps = []
    for row in rows:
        ids = torch.tensor([row])
        states = model(ids).logits[0, :-1].log_softmax(-1)
        logps.append(states.gather(-1, ids[0, 1:, None])[:, 0])
    return logps


def _config(lora: LoraSettings) -> LoraConfig:
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
