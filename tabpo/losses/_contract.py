"""Requirements on the output of a loss, checked at the first micro-batch of training and by `check_loss`."""

from collections.abc import Callable
from math import nan

import torch
from torch import Tensor

from tabpo.errors import ConfigError
from tabpo.losses._interface import LossOutput, Side

PER_PAIR = ("losses", "chosen_rewards", "rejected_rewards")
TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}
"""Tolerance within which losses and gradients count as equal; another order of summation changes them by less."""


def check_contract(loss: Callable[[Side, Side], LossOutput], chosen: Side, rejected: Side) -> None:
    """Call a loss on copies of two sides and refuse it if its output is not what training needs.

    A loss must give one number per pair, in the dtype of the log-probs, with a gradient. Losses, rewards and gradients
    must be finite, must not depend on the values at masked positions, and must not change when the pairs are split into
    two batches.

    Args:
        loss: Built by `build_loss`.
        chosen: The chosen side. Its graph is left alone; gradients are computed for copies of those of its tensors that
            require one.
        rejected: The rejected side, used in the same way.

    Raises:
        ConfigError: The message names the file of the loss, its output and what is required.
    """
    file = type(loss).__module__.replace(".", "/") + ".py"

    def require(fulfilled: bool, came: str, wanted: str) -> None:
        if not fulfilled:
            raise ConfigError(f"{file}: {came}; wanted: {wanted}")

    def require_same(values: dict[str, Tensor], when: str, wanted: str) -> None:
        changed = [name for name in whole if not torch.allclose(values[name], whole[name], **TOLERANCE)]
        require(not changed, f"{', '.join(changed)} change when {when}", wanted)

    def call(**how: bool | slice) -> dict[str, Tensor]:
        """Losses, rewards and gradients, each with one row per pair."""
        sides = [_copy(side, **how) for side in (chosen, rejected)]
        output = loss(*sides)
        _check_output(output, sides[0], require)
        leaves = [leaf for side in sides for leaf in _leaves(side)]
        gradients = torch.autograd.grad(output.losses.sum(), leaves, materialize_grads=True)
        values = {name: getattr(output, name).detach() for name in PER_PAIR}
        return values | {"gradients": torch.cat([gradient.flatten(1) for gradient in gradients], 1)}

    whole = call()
    unfit = [name for name, values in whole.items() if not values.isfinite().all()]
    require(not unfit, f"{', '.join(unfit)} are NaN or infinite at finite log-probs", "finite numbers")
    wanted = "what masked positions hold reaches nothing; take the sums of Side, or mask each factor before multiplying"
    require_same(call(spoilt=True), "masked positions hold NaN", wanted)
    if (pairs := len(chosen.policy_logps)) > 1:
        parts = [call(rows=slice(0, pairs // 2)), call(rows=slice(pairs // 2, pairs))]
        together = {name: torch.cat([part[name] for part in parts]) for name in whole}
        require_same(together, "the pairs come in two batches", "the loss of a pair depends on that pair alone")


def _check_output(output: object, chosen: Side, require: Callable[[bool, str, str], None]) -> None:
    require(isinstance(output, LossOutput), f"the call returns {_described(output)}", "a LossOutput")
    shape, dtype = chosen.policy_logps.shape, chosen.policy_logps.dtype
    for name in PER_PAIR:
        value = getattr(output, name)
        fits = isinstance(value, Tensor) and value.shape == shape[:1] and value.dtype == dtype
        wanted = f"a tensor of shape ({shape[0]},), one number for each pair, of {dtype} like the log-probs"
        require(fits, f"{name} is {_described(value)}", wanted)
    gate = output.gate
    fits = gate is None or (isinstance(gate, Tensor) and gate.shape == shape and gate.dtype == torch.bool)
    require(fits, f"gate is {_described(gate)}", f"None, or a tensor of shape {tuple(shape)} of torch.bool")
    require(output.losses.requires_grad, "losses carry no gradient", "a function of policy_logps, not detached")


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} of {value.dtype}"
    return f"of type {type(value).__name__}"


def _leaves(side: Side) -> list[Tensor]:
    values = vars(side).values()
    leaves = [value for value in values if isinstance(value, Tensor) and value.requires_grad]
    return leaves if side.anchor is None else leaves + _leaves(side.anchor)


def _copy(side: Side, *, spoilt: bool = False, rows: slice = slice(None)) -> Side:
    """A copy of a side without the model's graph; tensors that required a gradient become leaves.

    Args:
        side: The side to copy.
        spoilt: Whether to put NaN, invalid fields and flipped differences into masked positions.
        rows: The pairs to copy.
    """
    outside = ~side.completion_mask

    def copied(name: str, value: Tensor) -> Tensor:
        copy = value.detach()
        if spoilt and value.is_floating_point():
            copy = copy.masked_fill(outside.view(*outside.shape, *[1] * (value.ndim - 2)), nan)
        elif spoilt and name == "differs":
            copy = copy ^ outside
        elif spoilt and name == "token_fields":
            copy = copy.masked_fill(outside, -1)
        return copy[rows].requires_grad_(value.requires_grad)

    present = {name: value for name, value in vars(side).items() if value is not None}
    return Side(
        **{
            name: _copy(value, spoilt=spoilt, rows=rows) if isinstance(value, Side) else copied(name, value)
            for name, value in present.items()
        }
    )


def synthetic_pair(seed: int, dtype: torch.dtype, pairs: int = 6, tokens: int = 9) -> tuple[Side, Side]:
    """Random sides with every field that a loss may need: completions of 1 to `tokens` tokens, NaN where masked.

    Policy and reference log-probs are between 0 and -4 nats; about a third of the tokens differ.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(pairs, tokens, *shape, generator=generator, dtype=dtype)

    def side(anchor: Side | None) -> Side:
        lengths = torch.randint(1, tokens + 1, (pairs, 1), generator=generator)
        return Side(
            policy_logps=(-4 * draw()).requires_grad_(),
            reference_logps=-4 * draw(),
            completion_mask=torch.arange(tokens) < lengths,
            token_fields=torch.randint(0, 6, (pairs, tokens), generator=generator).to(torch.int8),
            differs=draw() < 0.3,
            token_kl=draw().requires_grad_(),
            hidden_states=draw(5),
            importance=draw(),
            baseline=(2 * draw() - 1).requires_grad_(),
            anchor=anchor,
            dpo_logps=-4 * draw(),
            reverse_dpo_logps=-4 * draw(),
            token_weights=2 * draw(),
        )

    return tuple(_copy(drawn, spoilt=True) for drawn in (side(side(None)), side(None)))
