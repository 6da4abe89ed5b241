"""LoRA: adapters put onto a model before training, and added to its weights afterwards."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import PreTrainedModel

from tabpo.errors import ConfigError
from tabpo.training.models import load_model
from tabpo.training.settings import LoraSettings


def add_adapters(model: PreTrainedModel, lora: LoraSettings, seed: int) -> PeftModel:
    """The model with fresh adapters, which alone are trained; they change nothing before the first step.

    Raises:
        ConfigError: A target module that the model has not.
    """
    layers = {name.rsplit(".")[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    missing = sorted(set(lora.target_modules) - layers)
    if missing:
        raise ConfigError(f"training.lora.target_modules: no layer {', '.join(missing)}; there are: {sorted(layers)}")
    torch.manual_seed(seed)
    return get_peft_model(model, _config(lora))


def merged(folder: Path, adapters: dict[str, Tensor], lora: LoraSettings, numerics: dict) -> PreTrainedModel:
    """The weights of `folder` with the trained adapters added, in float32 whatever they were trained in.

    Args:
        folder: The model that training started from.
        adapters: By name, from `peft.get_peft_model_state_dict`.
        lora: As for `add_adapters`.
        numerics: As for `models.load_model`.
    """
    model = get_peft_model(load_model(folder, numerics), _config(lora))
    set_peft_model_state_dict(model, {name: adapter.float() for name, adapter in adapters.items()})
    return model.merge_and_unload()


def _config(lora: LoraSettings) -> LoraConfig:
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
