"""Sides of pairs, by hand and by chance."""

from dataclasses import replace

import pytest
import torch

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
    """Two sides with ragged masks, fields, differing tokens and KLs; log-probs from about 0 to -4 nats."""
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
    return replace(sides[0], token_kl=kls[0]), replace(sides[1], token_kl=kls[1])


@pytest.fixture(scope="session")
def make_side():
    return _make_side


@pytest.fixture(scope="session")
def make_random_pair():
    return _make_random_pair


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
