"""LoRA: adapters are added to a model before training and merged into its weights afterwards."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import PreTrainedModel

from tabpo.errors import ConfigError, DataError
from tabpo.models.loading import load_model
from tabpo.study.training import LoraSettings

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
    folder: Path, adapters: dict[str, Tensor], lora: LoraSettings, numerics: dict, rows: Sequence[Sequence[int]]
) -> tuple[PreTrainedModel, float]:
    """The weights of `folder` with the trained adapters merged, in float32 whatever precision training used.

    Args:
        folder: The model that training started from.
        adapters: Adapter weights by name, from `peft.get_peft_model_state_dict`.
        lora: As for `add_adapters`.
        numerics: As for `models.load_model`.
        rows: Token ids on which the model is compared before and after the merge.

    Returns:
        The merged model, and the largest change of a next-token log-prob on the rows, in nats.

    Raises:
        DataError: This change is larger than `MERGE_BAR`, so the merged model is not the trained one.
    """
    model = get_peft_model(load_model(folder, numerics), _config(lora)).eval()
    set_peft_model_state_dict(model, {name: adapter.float() for name, adapter in adapters.items()})
    before = _next_token_logps(model, rows)
    model = model.merge_and_unload()
    pairs = zip(before, _next_token_logps(model, rows), strict=True)
    difference = max((float((logps - after).abs().max()) for logps, after in pairs), default=0.0)
    if not difference <= MERGE_BAR:
        raise DataError(
            f"merging the adapters changed log-probs by up to {difference:.3g} nats; at most {MERGE_BAR} is accepted"
        )
    return model, difference


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
