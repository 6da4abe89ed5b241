"""APO-zero and APO-down: sigmoid losses anchored at the reference."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss

both = pytest.mark.parametrize("name", ["apo_zero", "apo_down"])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_hand_worked_pair(golden):
    # beta S = -.035 and .035, beta D = -.07
    zero, down = (build_loss(name, beta=0.1)(*golden).losses.item() for name in ("apo_zero", "apo_down"))
    assert zero == pytest.approx(1 - sigmoid(-0.035) + sigmoid(0.035), abs=1e-12)
    assert down == pytest.approx(sigmoid(-0.035) + 1 - sigmoid(-0.07), abs=1e-12)


@both
def test_a_policy_at_its_reference_scores_one(make_side, name):
    chosen, rejected = make_side([[-0.3, -2.0]], [[-0.3, -2.0]]), make_side([[-0.7]], [[-0.7]])
    assert build_loss(name)(chosen, rejected).losses.item() == 1.0


def test_where_only_one_side_moves_apo_zero_is_the_error_of_dpo(make_sequence_pair):
    # S(rejected) = 0: 1 - sigmoid(beta D) + 1 / 2
    pair = make_sequence_pair([-1.0], [-2.0], [-3.0], [-2.0])
    dpo = build_loss("dpo", beta=0.7)(*pair).losses
    torch.testing.assert_close(build_loss("apo_zero", beta=0.7)(*pair).losses, 1.5 - torch.exp(-dpo))


def test_the_first_gradient_of_apo_down_lowers_the_rejected_side_alone(make_side, gradients_of):
    # sigmoid'(0) = 1 / 4 on either term: they cancel on the chosen side
    side = make_side([[-0.3, -2.0]], [[-0.3, -2.0]])
    _, (chosen, rejected) = gradients_of(build_loss("apo_down", beta=0.4), (side, side))
    assert (chosen == 0).all() and rejected.tolist() == [[0.1, 0.1]]


@both
@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_is_between_zero_and_two(make_random_pair, name, seed, beta):
    losses = build_loss(name, beta=beta)(*make_random_pair(seed)).losses
    assert (losses >= 0).all() and (losses <= 2).all()


@both
@pytest.mark.parametrize("beta", [0, -1, True, "0.1", math.nan])
def test_refused_beta(name, beta):
    with pytest.raises(ConfigError, match=f"{name}: beta must be a number above 0, got"):
        build_loss(name, beta=beta)
