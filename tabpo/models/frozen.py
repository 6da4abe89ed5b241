"""The frozen reference model, for losses that need more than its cached log-probs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, TrainingArguments
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config

from tabpo.models.loading import load_model, narrow_frozen


def frozen_reference(
    policy: nn.Module, start: Path, numerics: dict, arguments: TrainingArguments
) -> Callable[[], AbstractContextManager[nn.Module]]:
    """A function that opens a context with the reference: the policy with its adapters disabled, or a second model.

    A policy with adapters starts from the SFT model and trains only the adapters. With disabled adapters it therefore
    is the SFT model, and no second model is needed. For a fully trained policy a second model is loaded, which takes 4
    bytes per parameter, 2 for linear layers in bf16.

    Args:
        policy: The policy before training, not wrapped.
        start: Folder of the model that training starts from.
        numerics: As for `models.loading.load_model`.
        arguments: Arguments of the run; the device and DeepSpeed are read from them.
    """
    if isinstance(policy, PeftModel):
        return partial(_without_adapters, policy)
    return partial(nullcontext, _copy(start, numerics, arguments))


@contextmanager
def _without_adapters(policy: PeftModel) -> Iterator[nn.Module]:
    with policy.disable_adapter():
        yield policy


def _copy(start: Path, numerics: dict, arguments: TrainingArguments) -> PreTrainedModel:
    """A complete model on every process, also under ZeRO-3."""
    unset_hf_deepspeed_config()  # while it is set, ZeRO-3 divides a model during loading
    model = load_model(start, numerics)
    if arguments.deepspeed is not None:
        set_hf_deepspeed_config(arguments.hf_deepspeed_config)
    narrow_frozen(model.requires_grad_(False), numerics)
    return model.eval().to(arguments.device)
