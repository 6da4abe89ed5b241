"""The learnt state baseline of TBPO-Q: a head on detached hidden states, trained together with the policy."""

import torch
from torch import Tensor, nn

HEAD = "baseline_head"
"""Name of the head in the trained model; the names of its weights begin with it."""

WIDTH = 1024
"""Width of the hidden layer, as in the authors' run scripts (github.com/dinhtruongng/Token-BPO)."""


class BaselineHead(nn.Module):
    """Maps a hidden state to a scalar by linear, GELU, linear, in float32 whatever the dtype of the states."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(hidden_size, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1))

    def forward(self, hidden_states: Tensor) -> Tensor:
        """From (B, T, H) to (B, T) float32."""
        weight = self.layers[0].weight
        with torch.autocast(weight.device.type, enabled=False):
            return self.layers(hidden_states.to(weight.dtype)).squeeze(-1).float()


def add_baseline(model: nn.Module, seed: int) -> None:
    """Add a new head to the model, so that wrapping, dividing, optimising and saving the model include it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        setattr(model, HEAD, BaselineHead(model.config.hidden_size))


def without_baseline(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name without those of the head, which are not needed after training."""
    return {name: value for name, value in weights.items() if not name.startswith(f"{HEAD}.")}
