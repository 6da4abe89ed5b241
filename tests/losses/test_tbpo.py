"""TBPO-Q and TBPO-A: golden values, the slopes of both generators, and which tokens are paired."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss

both = pytest.mark.parametrize("name", ["tbpo_a", "tbpo_q"])
LOGISTIC = {"generator": "logistic"}


@pytest.fixture
def golden_tokens(golden):
    rows = (
        {"token_kl": [0.01, 0.02, 0.10, 0.03], "baseline": [0.3, 0.1, 0.0, 0.2]},
        {"token_kl": [0.01, 0.02, 0.08, 0.02, 0.04], "baseline": [0.3, 0.1, -0.4, 0.1, 7.0]},
    )
    return [
        replace(side, **{name: torch.tensor([row], dtype=torch.float64) for name, row in fields.items()})
        for side, fields in zip(golden, rows, strict=True)
    ]


@pytest.mark.parametrize(
    ("params", "value"), [({}, 0.259820197), (LOGISTIC, 0.702962289), ({"lambda_": 0.5}, -0.323505498)]
)
def test_golden_values_of_tbpo_a(golden_tokens, params, value):
    # u = .1 * (r + k of the rejected token, less that of the chosen one) = 0, 0, .078, -.001; the fifth has no partner
    assert build_loss("tbpo_a", beta=0.1, **params)(*golden_tokens).losses.item() == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("params", "value"), [({}, 0.260097662), (LOGISTIC, 0.703243264)])
def test_golden_values_of_tbpo_q(golden_tokens, params, value):
    # log w = 0, 0, -.4, -.1, less their mean -.125
    assert build_loss("tbpo_q", beta=0.1, **params)(*golden_tokens).losses.item() == pytest.approx(value, abs=1e-9)


def test_rewards_are_those_of_dpo(golden_tokens):
    output = build_loss("tbpo_a", beta=0.1)(*golden_tokens)
    assert (output.chosen_rewards.item(), output.rejected_rewards.item()) == pytest.approx((-0.035, 0.035))


def one_token(make_side, name, u, beta=1.0):
    """A pair of one token each with log R = u: log w of a single token is centred to 0."""
    sides = make_side([[-40.0 - u / beta]], [[-40.0]]), make_side([[-40.0]], [[-40.0]])
    field = {"tbpo_a": "token_kl", "tbpo_q": "baseline"}[name]
    return [replace(side, **{field: torch.full_like(side.policy_logps, 0.3)}) for side in sides]


@both
@pytest.mark.parametrize("u", [-5.0, -0.3, 0.0, 0.3, 5.0])
@pytest.mark.parametrize(
    ("params", "value", "slope"),
    [
        (LOGISTIC, lambda r: math.log(1 + r), lambda r: r / (1 + r)),
        ({"scale": 4}, lambda r: (r + math.log(r)) / 4, lambda r: (r + 1) / 4),
        ({"scale": 2, "lambda_": 0.5}, lambda r: r**1.5 / 3 - r**-0.5, lambda r: (r**1.5 + r**-0.5) / 2),
        ({"scale": 1, "lambda_": 1}, lambda r: r**2 / 2 - 1 / r, lambda r: r**2 + 1 / r),
    ],
    ids=["logistic", "lambda 0", "lambda .5", "lambda 1"],
)
def test_value_and_slope_in_log_r(make_side, gradients_of, name, u, params, value, slope):
    # du / dlog pi(chosen) = -beta
    loss = build_loss(name, beta=0.7, **params)
    output, actual = gradients_of(loss, one_token(make_side, name, u, beta=0.7))
    assert output.losses.item() == pytest.approx(value(math.exp(u)), rel=1e-12, abs=1e-12)
    assert actual[0].item() == pytest.approx(-0.7 * slope(math.exp(u)), rel=1e-12)


@both
@pytest.mark.parametrize("params", [{}, LOGISTIC, {"lambda_": 0.5}])
@pytest.mark.parametrize("u", [-31.0, 31.0, -900.0, 900.0])
def test_flat_beyond_thirty(make_side, gradients_of, name, params, u):
    loss = build_loss(name, beta=1.0, **params)
    output, actual = gradients_of(loss, one_token(make_side, name, u))
    at_bound = loss(*one_token(make_side, name, math.copysign(30.0, u)))
    assert output.losses.item() == at_bound.losses.item()
    assert all((gradient == 0).all() for gradient in actual)


@both
@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), lambda_=st.floats(0.01, 1))
def test_an_identical_pair_has_log_r_zero(make_random_pair, name, seed, beta, lambda_):
    # R = 1: 1 / 4, log 2, and 1 / (s (1 + lambda)) - 1 / (s lambda)
    chosen, _ = make_random_pair(seed)
    for params, value in (
        ({}, 0.25),
        (LOGISTIC, math.log(2)),
        ({"lambda_": lambda_}, 0.25 / (1 + lambda_) - 0.25 / lambda_),
    ):
        losses = build_loss(name, beta=beta, **params)(chosen, chosen).losses
        torch.testing.assert_close(losses, torch.full_like(losses, value))


@both
@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 2))
def test_swapping_the_sides_inverts_r(make_random_pair, map_side, name, seed, beta):
    # single tokens, whose logistic loss is log(1 + R)
    chosen, rejected = [map_side(lambda _, x: x[:, :1], side) for side in make_random_pair(seed)]
    loss = build_loss(name, beta=beta, generator="logistic")
    ratio, inverse = (loss(*sides).losses.expm1() for sides in ((chosen, rejected), (rejected, chosen)))
    torch.testing.assert_close(ratio * inverse, torch.ones_like(ratio))


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 2))
def test_on_single_tokens_tbpo_a_is_tdpo1(make_random_pair, map_side, gradients_of, seed, beta):
    pair = [map_side(lambda _, x: x[:, :1], side) for side in make_random_pair(seed)]
    tbpo, tdpo1 = build_loss("tbpo_a", beta=beta, generator="logistic"), build_loss("tdpo1", beta=beta)
    (output, actual), (expected, slopes) = gradients_of(tbpo, pair), gradients_of(tdpo1, pair)
    torch.testing.assert_close(output.losses, expected.losses)
    for gradient, slope in zip(actual, slopes, strict=True):
        torch.testing.assert_close(gradient, slope)


@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 7))
def test_log_r_of_tbpo_a_adds_up_to_the_logit_of_tdpo1(make_equal_pair, map_side, seed, tokens):
    pair = make_equal_pair(seed, tokens)
    loss = build_loss("tbpo_a", beta=0.3, generator="logistic")
    by_token = [[map_side(lambda _, x: x[:, t : t + 1], side) for side in pair] for t in range(tokens)]  # noqa: B023
    losses = torch.stack([loss(*sides).losses for sides in by_token])
    torch.testing.assert_close(losses.mean(0), loss(*pair).losses)
    logit = -losses.expm1().log().sum(0)
    torch.testing.assert_close(torch.nn.functional.softplus(-logit), build_loss("tdpo1", beta=0.3)(*pair).losses)


@both
@given(seed=st.integers(0, 10_000))
def test_shared_prefixes_and_unpaired_tails_get_no_policy_gradient(make_random_pair, gradients_of, name, seed):
    # the first token of both sides is the same in the same state: what it gets on one side, the other takes back
    chosen, rejected = make_random_pair(seed)
    for field in ("policy_logps", "reference_logps", "token_kl", "baseline"):
        getattr(rejected, field)[:, 0] = getattr(chosen, field)[:, 0]
    loss = build_loss(name)
    _, actual = gradients_of(loss, (chosen, rejected))
    gradients = actual[0], actual[len(actual) // 2]
    torch.testing.assert_close(gradients[0][:, 0], -gradients[1][:, 0])
    paired = chosen.completion_mask & rejected.completion_mask
    assert all((gradient[~paired] == 0).all() and (gradient[paired] != 0).all() for gradient in gradients)


@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50))
def test_a_constant_in_the_baseline_changes_nothing(make_random_pair, seed, shift):
    chosen, rejected = make_random_pair(seed)
    loss = build_loss("tbpo_q")
    moved = replace(chosen, baseline=chosen.baseline + shift)
    torch.testing.assert_close(loss(moved, rejected).losses, loss(chosen, rejected).losses)


@given(seed=st.integers(0, 10_000))
def test_a_pair_s_gradients_to_the_baseline_add_up_to_none(make_random_pair, gradients_of, seed):
    # the mean that is taken off passes a gradient
    loss = build_loss("tbpo_q")
    pair = make_random_pair(seed)
    _, (_, chosen, _, rejected) = gradients_of(loss, pair)
    torch.testing.assert_close(chosen.sum(-1), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(chosen, -rejected)


def test_the_weight_of_a_state_is_held_within_ten(make_side, gradients_of):
    # log w = 30, -30 after centring: held at 10 and -10; u = 10 * beta and -10 * beta
    chosen = make_side([[-1.0, -1.0]], [[-1.0, -1.0]])
    sides = [replace(chosen, baseline=torch.tensor([row], dtype=torch.float64)) for row in ([0.0, 60.0], [0.0, 0.0])]
    output, actual = gradients_of(build_loss("tbpo_q", beta=0.1, generator="logistic"), sides)
    assert output.losses.item() == pytest.approx((math.log(1 + math.e) + math.log(1 + 1 / math.e)) / 2)
    assert (actual[1] == 0).all() and (actual[3] == 0).all()


@given(seed=st.integers(0, 10_000), epsilon=st.floats(0, 0.5))
def test_epsilon_mixes_a_pair_with_its_swap(make_random_pair, seed, epsilon):
    chosen, rejected = make_random_pair(seed)
    loss = build_loss("tbpo_q", lambda_=0.3)
    expected = (1 - epsilon) * loss(chosen, rejected).losses + epsilon * loss(rejected, chosen).losses
    mixed = build_loss("tbpo_q", lambda_=0.3, epsilon=epsilon)(chosen, rejected).losses
    torch.testing.assert_close(mixed, expected)


def test_needs():
    assert build_loss("tbpo_a").needs == {"token_kl"} and build_loss("tbpo_q").needs == {"baseline"}


@both
@pytest.mark.parametrize(
    ("params", "accepted"),
    [
        ({"beta": 0}, "a number above 0"),
        ({"generator": "kliep"}, "one of scaled_basu, logistic"),
        ({"lambda_": -0.1}, "a number from 0 to 1"),
        ({"lambda_": 1.1}, "a number from 0 to 1"),
        ({"lambda_": True}, "a number from 0 to 1"),
        ({"scale": 0}, "a number above 0"),
    ],
)
def test_refused(name, params, accepted):
    with pytest.raises(ConfigError, match=f"{name}: {next(iter(params))} must be {accepted}, got"):
        build_loss(name, **params)


def test_refused_epsilon():
    with pytest.raises(ConfigError, match=r"tbpo_q: epsilon must be a number from 0 to 0.5, got"):
        build_loss("tbpo_q", epsilon=0.6)
    with pytest.raises(ConfigError, match="tbpo_a: unknown hyperparameter epsilon"):
        build_loss("tbpo_a", epsilon=0.1)
