"""LoRA: adapters put onto a model before training, and added to its weights afterwards."""

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
"""Held-out rows that a merge is checked on."""

MERGE_BAR = 1e-2
"""How far log-probs may be apart before and after a merge in float32, nats; two layers of random weights: 1e-6."""


def add_adapters(model: PreTrainedModel, lora: LoraSettings, seed: int) -> PeftModel:
    """The model with fresh adapters, which alone are trained; they change nothing before the first step.

    Raises:
        ConfigError: A target module that the model has not; and from `check_tied`.
    """
    layers = {name.rsplit(".")[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    missing = sorted(set(lora.target_modules) - layers)
    if missing:
        raise ConfigError(f"training.lora.target_modules: no layer {', '.join(missing)}; there are: {sorted(layers)}")
    check_tied(model, lora)
    torch.manual_seed(seed)
    return get_peft_model(model, _config(lora))


def check_tied(model: PreTrainedModel, lora: LoraSettings) -> None:
    """Refuse adapters on a layer whose weights are the embedding's: a merge would change what goes in as well.

    Raises:
        ConfigError: Names the layers.
    """
    embedding = model.get_input_embeddings().weight
    tied = {name.rsplit(".")[-1] for name, one in model.named_modules() if getattr(one, "weight", None) is embedding}
    refused = sorted(tied & set(lora.target_modules))
    if refused:
        raise ConfigError(
            f"training.lora.target_modules: {', '.join(refused)} shares its weights with the embedding, which a merge"
            " would change too; accepted: other layers"
        )


def merged(
    folder: Path, adapters: dict[str, Tensor], lora: LoraSettings, numerics: dict, rows: Sequence[Sequence[int]]
) -> tuple[PreTrainedModel, float]:
    """The weights of `folder` with the trained adapters added, in float32 whatever they were trained in.

    Args:
        folder: The model that training started from.
        adapters: By name, from `peft.get_peft_model_state_dict`.
        lora: As for `add_adapters`.
        numerics: As for `models.load_model`.
        rows: Token ids that the model before and after the merge is compared on.

    Returns:
        The model, and the largest difference of a log-prob of the next token of a row, in nats.

    Raises:
        DataError: That difference is above `MERGE_BAR`: the merged model is not the one that was trained.
    """
    model = get_peft_model(load_model(folder, numerics), _config(lora)).eval()
    set_peft_model_state_dict(model, {name: adapter.float() for name, adapter in adapters.items()})
    before = _next_token_logps(model, rows)
    model = model.merge_and_unload()
    pairs = zip(before, _next_token_logps(model, rows), strict=True)
    difference = max((float((one - other).abs().max()) for one, other in pairs), default=0.0)
    if not difference <= MERGE_BAR:
        raise DataError(
            f"merging the adapters changed log-probs by up to {difference:.3g} nats; at most {MERGE_BAR} is accepted"
        )
    return model, difference


@torch.no_grad()
def _next_token_logps(model: nn.Module, rows: Sequence[Sequence[int]]) -> list[Tensor]:
    """For each row (tokens - 1,) log-probs of its tokens but the first, in float32."""
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
