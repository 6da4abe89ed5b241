"""The learnt state baseline of TBPO-Q: a head on detached hidden states, trained beside the policy."""

import torch
from torch import Tensor, nn

HEAD = "baseline_head"
"""Name of the head within the model that is trained, and so where its weights' names begin."""

WIDTH = 1024
"""Of the hidden layer, as in the authors' run scripts (github.com/dinhtruongng/Token-BPO)."""


class BaselineHead(nn.Module):
    """Hidden state to a scalar: linear, GELU, linear, in float32 whatever the states are in."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(hidden_size, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1))

    def forward(self, hidden_states: Tensor) -> Tensor:
        """From (B, T, H) to (B, T) float32."""
        weight = self.layers[0].weight
        with torch.autocast(weight.device.type, enabled=False):
            return self.layers(hidden_states.to(weight.dtype)).squeeze(-1).float()


def add_baseline(model: nn.Module, seed: int) -> None:
    """Put a fresh head into the model, where all that wraps, divides, optimises and keeps parameters finds it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        setattr(model, HEAD, BaselineHead(model.config.hidden_size))


def without_baseline(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name, those of the head left out: they are of no use to who reads the trained model."""
    return {name: value for name, value in weights.items() if not name.startswith(f"{HEAD}.")}
