"""Out-of-memory errors on a GPU: found early in a run, and reported with the settings that need less memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from tabpo.models.loading import naming_less_memory
from tabpo.scoring.attention import unwrapped
from tabpo.study.training import TrainingSettings


@contextmanager
def explaining_out_of_memory(settings: TrainingSettings, micro_batch_size: int) -> Iterator[None]:
    """Report an out-of-memory error within the block as one message.

    Args:
        settings: Training settings of the run.
        micro_batch_size: Micro-batch size of the run, which may be smaller than in the settings.

    Raises:
        ConfigError: The GPU's memory is too small; the message names the settings that need less.
    """
    ways = [
        (micro_batch_size > 1, f"training.micro_batch_size below {micro_batch_size} (this changes no result)"),
        (not settings.gradient_checkpointing, "training.gradient_checkpointing true"),
        (settings.lora is None, "training.lora"),
        (settings.deepspeed not in ("zero3", "zero3_offload"), "training.deepspeed zero3"),
    ]
    with naming_less_memory([way for takes_less, way in ways if takes_less]):
        yield


def can_rehearse(device: torch.device) -> bool:
    """Whether a run tries its longest micro-batch after the first step, when the optimizer has allocated its states.

    On a CPU there is no early out-of-memory error to detect. ZeRO-3 gathers weights in the order of the modules and
    does not allow an additional pass.
    """
    return device.type == "cuda" and not is_deepspeed_zero3_enabled()


def without_effect(model: nn.Module, loss: Callable[[], Tensor]) -> None:
    """Run forward and backward without a lasting effect: no parameter gets a gradient, random states are restored.

    A NaN log-prob is ignored here, because the step itself will report it with its place.

    Args:
        model: The model, not wrapped, in training mode.
        loss: Calls the model; its last call must be a pass with gradients.
    """
    embedded: list[Tensor] = []
    embeddings = unwrapped(model).get_input_embeddings()
    hook = embeddings.register_forward_hook(lambda _module, _inputs, output: embedded.append(output.requires_grad_()))
    device = embeddings.weight.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), suppress(FloatingPointError):
        torch.autograd.grad(loss(), embedded[-1])
    hook.remove()
