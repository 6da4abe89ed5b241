"""The frozen reference model, for losses that need more of it than its cached log-probs."""

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
    """Gives the reference for as long as a context is open: the policy with its adapters off, or else a second copy.

    A policy with adapters starts from the SFT model and trains the adapters alone, so that without them it is that
    model, and no second one is held. The copy of a fully trained policy takes 4 bytes a parameter, 2 in bf16.

    Args:
        policy: As it is before training, not wrapped.
        start: Folder of the model that it starts from.
        numerics: As for `models.load_model`.
        arguments: Of the run; device and DeepSpeed.
    """
    if isinstance(policy, PeftModel):
        return partial(_without_adapters, policy)
    return partial(nullcontext, _copy(start, numerics, arguments))


@contextmanager
def _without_adapters(policy: PeftModel) -> Iterator[nn.Module]:
    with policy.disable_adapter():
        yield policy


def _copy(start: Path, numerics: dict, arguments: TrainingArguments) -> PreTrainedModel:
    """Whole on every process, under ZeRO-3 too."""
    unset_hf_deepspeed_config()  # while it is set, ZeRO-3 divides what is loaded
    model = load_model(start, numerics)
    if arguments.deepspeed is not None:
        set_hf_deepspeed_config(arguments.hf_deepspeed_config)
    narrow_frozen(model.requires_grad_(False), numerics)
    return model.eval().to(arguments.device)
