"""A GPU's memory that does not hold a run: met in its first minute, and said together with what to lower."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from tabpo.errors import ConfigError
from tabpo.scoring.attention import unwrapped
from tabpo.study.training import TrainingSettings


@contextmanager
def told_what_to_lower(settings: TrainingSettings, micro_batch_size: int) -> Iterator[None]:
    """Give an end of a GPU's memory within the block as one message.

    Args:
        settings: Of the run.
        micro_batch_size: That it has, which may be below the settings'.

    Raises:
        ConfigError: Names the settings that take less.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        ways = [
            (micro_batch_size > 1, f"training.micro_batch_size below {micro_batch_size} (what is learnt is the same)"),
            (not settings.gradient_checkpointing, "training.gradient_checkpointing true"),
            (settings.lora is None, "training.lora"),
            (settings.deepspeed not in ("zero3", "zero3_offload"), "training.deepspeed zero3"),
            (True, "a class of resources with more or larger GPUs"),
        ]
        less = "; ".join(way for takes_less, way in ways if takes_less)
        raise ConfigError(f"the memory of the GPU is too small for this run; what takes less: {less}") from error


def can_rehearse(device: torch.device) -> bool:
    """Whether a run's longest micro-batch is tried as soon as the optimizer has its states, after the first step.

    A CPU's memory has no such end; ZeRO-3, whose weights come and go in the order of modules, allows no further pass.
    """
    return device.type == "cuda" and not is_deepspeed_zero3_enabled()


def without_effect(model: nn.Module, loss: Callable[[], Tensor]) -> None:
    """Forward and backward that leave no trace: gradients reach no parameter, and random numbers are put back.

    A log-prob that is no number is left to the step itself, which says where it is.

    Args:
        model: Not wrapped; in the mode of training.
        loss: Calls the model, last in a pass with gradients.
    """
    embedded: list[Tensor] = []
    embeddings = unwrapped(model).get_input_embeddings()
    hook = embeddings.register_forward_hook(lambda _module, _inputs, output: embedded.append(output.requires_grad_()))
    device = embeddings.weight.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), suppress(FloatingPointError):
        torch.autograd.grad(loss(), embedded[-1])
    hook.remove()
