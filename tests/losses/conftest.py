"""Sides of pairs, by hand and by chance."""

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from tabpo.losses import Side


def _make_side(policy, reference, *, mask=None, fields=None, differs=None, dtype=torch.float64) -> Side:
    policy = torch.as_tensor(policy, dtype=dtype)
    grid = torch.zeros(policy.shape)
    return Side(
        policy_logps=policy,
        reference_logps=torch.as_tensor(reference, dtype=dtype),
        completion_mask=grid == 0 if mask is None else torch.as_tensor(mask),
        token_fields=(grid if fields is None else torch.as_tensor(fields)).to(torch.int8),
        differs=grid != 0 if differs is None else torch.as_tensor(differs),
    )


def _make_random_pair(seed: int, pairs: int = 3, tokens: int = 6) -> tuple[Side, Side]:
    """Two sides with ragged masks and all that a loss may need; log-probs from about 0 to -4 nats."""
    generator = torch.Generator().manual_seed(seed)
    sides = []
    for _ in range(2):
        lengths = torch.randint(1, tokens + 1, (pairs, 1), generator=generator)
        sides.append(
            _make_side(
                -4 * torch.rand(pairs, tokens, generator=generator, dtype=torch.float64),
                -4 * torch.rand(pairs, tokens, generator=generator, dtype=torch.float64),
                mask=torch.arange(tokens) < lengths,
                fields=torch.randint(0, 6, (pairs, tokens), generator=generator),
                differs=torch.rand(pairs, tokens, generator=generator) < 0.3,
            )
        )
    kls = torch.rand(2, pairs, tokens, generator=generator, dtype=torch.float64)
    return _with_needs(replace(sides[0], token_kl=kls[0]), replace(sides[1], token_kl=kls[1]), generator)


def _with_needs(chosen: Side, rejected: Side, generator: torch.Generator) -> tuple[Side, Side]:
    """Hidden states of width 5, importances, baselines and, on the chosen side, anchors, all by chance."""

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    sides = []
    for side in (chosen, rejected):
        shape = side.policy_logps.shape
        states, values = draw(*shape, 5), (draw(*shape), 2 * draw(*shape) - 1)
        given = {name: -4 * draw(*shape) for name in ("dpo_logps", "reverse_dpo_logps")}
        given["token_weights"] = 2 * draw(*shape)
        sides.append(replace(side, hidden_states=states, importance=values[0], baseline=values[1], **given))
    rows, tokens = chosen.policy_logps.shape
    lengths = torch.randint(1, tokens + 1, (rows, 1), generator=generator)
    logps = -4 * draw(2, rows, tokens)
    anchor = _make_side(logps[0], logps[1], mask=torch.arange(tokens) < lengths)
    return replace(sides[0], anchor=anchor), sides[1]


def _live_names(loss) -> list[str]:
    """What each side gives a loss that passes a gradient."""
    return ["policy_logps", *sorted(loss.needs & {"token_kl", "baseline"})]


def _leaves(loss, pair) -> list[Tensor]:
    """Copies, as leaves, of all that `loss` may pass a gradient to: both sides, then the anchor."""
    values = [getattr(side, name) for side in pair for name in _live_names(loss)]
    if "anchor" in loss.needs:
        values.append(pair[0].anchor.policy_logps)
    return [value.clone().requires_grad_() for value in values]


def _with_leaves(loss, pair, leaves) -> list[Side]:
    """The pair with the tensors of `_leaves` put back."""
    remaining = iter(leaves)
    sides = [replace(side, **{name: next(remaining) for name in _live_names(loss)}) for side in pair]
    if "anchor" in loss.needs:
        sides[0] = replace(sides[0], anchor=replace(sides[0].anchor, policy_logps=next(remaining)))
    return sides


def _gradients(loss, pair):
    """What `loss` returns, and the gradients of the summed losses by all of `_leaves`."""
    leaves = _leaves(loss, pair)
    output = loss(*_with_leaves(loss, pair, leaves))
    return output, torch.autograd.grad(output.losses.sum(), leaves, allow_unused=True, materialize_grads=True)


def _hold_constants(loss, pair):
    """`loss` with every stop-gradient held at its value for `pair`, so that differences see what gradients see."""
    detach, values = Tensor.detach, []

    def recorded(tensor):
        values.append(detach(tensor))
        return values[-1]

    with patch.object(Tensor, "detach", recorded):
        loss(*pair)

    def held(*sides):
        replayed = iter(values)
        with patch.object(Tensor, "detach", lambda tensor: next(replayed)):
            return loss(*sides)

    return held


def _map_side(function, side: Side) -> Side:
    """`function(name, tensor)` of all that a side has; of its anchor, each by its name there."""
    present = {name: value for name, value in vars(side).items() if value is not None}
    return Side(
        **{
            name: _map_side(function, value) if isinstance(value, Side) else function(name, value)
            for name, value in present.items()
        }
    )


@pytest.fixture(scope="session")
def make_side():
    return _make_side


@pytest.fixture(scope="session")
def make_random_pair():
    return _make_random_pair


@pytest.fixture(scope="session")
def with_needs():
    return _with_needs


@pytest.fixture(scope="session")
def leaves_of():
    return _leaves


@pytest.fixture(scope="session")
def with_leaves():
    return _with_leaves


@pytest.fixture(scope="session")
def gradients_of():
    return _gradients


@pytest.fixture(scope="session")
def hold_constants():
    return _hold_constants


@pytest.fixture(scope="session")
def map_side():
    return _map_side


@pytest.fixture(scope="session")
def make_equal_pair():
    """As by chance, but every completion has the same number of tokens."""

    def make(seed, tokens):
        pair = _make_random_pair(seed, tokens=tokens)
        return [replace(side, completion_mask=torch.ones_like(side.completion_mask)) for side in pair]

    return make


@pytest.fixture(scope="session")
def make_sequence_pair():
    """Pairs of one-token completions from sequence log-probs, as published test values state them."""

    def make(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
        chosen = _make_side([[value] for value in policy_chosen], [[value] for value in reference_chosen])
        return chosen, _make_side([[value] for value in policy_rejected], [[value] for value in reference_rejected])

    return make


@pytest.fixture(scope="session")
def golden():
    """One pair; summed log-ratios -0.35 and 0.35, so that the margin is -0.7 nats."""
    chosen = _make_side([[-0.1, -0.2, -1.5, -0.3]], [[-0.1, -0.25, -1.0, -0.4]])
    rejected = _make_side([[-0.1, -0.2, -0.9, -0.2, -0.5]], [[-0.1, -0.25, -1.2, -0.3, -0.4]])
    return chosen, rejected
