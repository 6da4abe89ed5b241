"""Floating-point operations of training, counted by the formulas of `torch.utils.flop_counter`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: torch.ops.aten._scaled_dot_product_flash_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        torch.ops.aten._scaled_dot_product_flash_attention_backward
    ),
}
FORMULAS = flop_registry | {kernel: flop_registry[same] for kernel, same in _ON_CPU.items()}
"""The formula of each operation that is counted: matrix products, attention and convolutions."""


class FlopCount(TorchDispatchMode):
    """Adds up the floating-point operations within its context, those of the backward pass included.

    `torch.utils.flop_counter.FlopCounterMode` has the same formulas, but it decomposes operations, which changes the
    last bits of gradients. This context changes no result.

    Attributes:
        total: The number of operations; a multiplication and an addition are two.
    """

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        """Run an operation and count it."""
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        formula = FORMULAS.get(operation._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result


def can_count(numerics: Mapping[str, Any]) -> bool:
    """Whether operations can be counted during training.

    FlexAttention is compiled; under a dispatch mode it would run uncompiled and hold the scores of the whole row.
    """
    return numerics["attention"] != "flex_attention"
