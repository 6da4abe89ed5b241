"""OTPO: published weights, POT's solver run live, and what the transport promises of batches, padding and extremes."""

import math
import warnings
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss
from tabpo.losses._unbalanced_ot import _factors_stay_in_range, pairwise_distances, transported_mass

GOLDEN_COST = [[0, 1, 0.8, 0.9, 0.7], [1, 0, 0.9, 0.8, 0.6], [0.8, 0.9, 0.5, 0.7, 0.9], [0.9, 0.8, 0.7, 0.1, 0.5]]


def states(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def everything(cost):
    return torch.ones_like(cost, dtype=torch.bool)


def of_pot(cost, reg, reg_m):
    """Marginals of the plan that POT's solver finds for one cost matrix without padding."""
    ot = pytest.importorskip("ot", reason="POT is no dependency of the project")
    ones = [torch.ones(size, dtype=cost.dtype).numpy() for size in cost.shape]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = ot.unbalanced.sinkhorn_unbalanced(
            *ones, cost.numpy(), reg, reg_m, method="sinkhorn_stabilized", reg_type="entropy"
        )
    return torch.from_numpy(plan.sum(1)), torch.from_numpy(plan.sum(0))


@pytest.fixture(scope="session")
def make_pair(make_random_pair):
    """Pairs as by chance, with states of four numbers; the first two tokens of a pair have equal ones."""

    def make(seed, pairs=3, tokens=6):
        sides = make_random_pair(seed, pairs=pairs, tokens=tokens)
        chosen, rejected = states(seed, 2, pairs, tokens, 4)
        rejected[:, :2] = chosen[:, :2]
        return [replace(side, hidden_states=h) for side, h in zip(sides, (chosen, rejected), strict=True)]

    return make


def test_published_weights_and_loss(golden, monkeypatch):
    cost = torch.tensor([GOLDEN_COST], dtype=torch.float64) + 1e-6
    monkeypatch.setattr("tabpo.losses.otpo.pairwise_distances", lambda *_: cost)
    loss = build_loss("otpo", beta=0.1, ot_reg=1.0, ot_reg_m=0.2)
    pair = [replace(side, hidden_states=states(0, *side.policy_logps.shape, 2)) for side in golden]
    chosen, rejected = loss._token_weights(*pair)
    assert chosen[0].tolist() == pytest.approx([1.012385, 1.028421, 0.902333, 1.056861], abs=1e-6)
    assert rejected[0].tolist() == pytest.approx([0.825141, 0.824109, 0.743511, 0.834420, 0.772820], abs=1e-6)
    assert loss(*pair).losses.item() == pytest.approx(0.721769315, abs=1e-9)


def test_one_token_against_one_by_hand():
    # at the optimum C + reg log g + 2 reg_m log g = 0: g = exp(-C / (reg + 2 reg_m)) = exp(-.6 / .5)
    cost = torch.tensor([[[0.6]]], dtype=torch.float64)
    for mass in transported_mass(cost, everything(cost), reg=0.1, reg_m=0.2):
        assert mass.item() == pytest.approx(math.exp(-1.2), rel=1e-6)


@pytest.mark.parametrize("reg", [1.0, 0.1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (12, 9), (300, 300)], ids=str)
def test_equals_pot(reg, shape):
    chosen, rejected = states(1, 1, shape[0], 8), states(2, 1, shape[1], 8)
    cost = pairwise_distances(chosen, rejected, torch.ones(1, *shape, dtype=torch.bool))
    for actual, expected in zip(
        transported_mass(cost, everything(cost), reg, 0.2), of_pot(cost[0], reg, 0.2), strict=True
    ):
        torch.testing.assert_close(actual[0], expected, atol=1e-6, rtol=0)


def test_equals_pot_where_hardly_any_mass_arrives():
    # the last chosen token is far from all: about exp(-1 / .07) of a unit leaves it
    cost = 0.1 + 0.2 * states(3, 1, 10, 12).sigmoid()
    cost[:, -1] = 1.0
    actual, expected = transported_mass(cost, everything(cost), 0.05, 0.02), of_pot(cost[0], 0.05, 0.02)
    assert expected[0][-1] < 1e-5
    for mass, reference in zip(actual, expected, strict=True):
        torch.testing.assert_close(mass[0], reference, atol=1e-6, rtol=1e-5)


@given(seed=st.integers(0, 10_000), reg=st.floats(0.05, 2), reg_m=st.floats(0.02, 2))
@settings(max_examples=20)
def test_weights_of_a_ragged_batch_equal_pot_pair_by_pair(make_pair, seed, reg, reg_m):
    pair = make_pair(seed)
    actual = build_loss("otpo", ot_reg=reg, ot_reg_m=reg_m)._token_weights(*pair)
    for row in range(3):
        sides = [side.hidden_states[row, side.completion_mask[row]] for side in pair]
        cost = torch.cdist(*sides, compute_mode="donot_use_mm_for_euclid_dist") + 1e-6
        expected = of_pot(cost / max(1.0, cost.max().item()), reg, reg_m)
        for side, weights, mass in zip(pair, actual, expected, strict=True):
            scaled = mass * (min(cost.shape) / mass.sum())
            torch.testing.assert_close(weights[row, side.completion_mask[row]], scaled, atol=1e-6, rtol=0)


def test_distances():
    chosen, rejected = states(4, 2, 5, 3), states(5, 2, 4, 3)
    rejected[0, :2] = chosen[0, :2]
    chosen[1] *= 0.01
    rejected[1] *= 0.01  # all within 1: left as they are
    valid = torch.ones(2, 5, 4, dtype=torch.bool)
    valid[:, 4] = False
    actual = pairwise_distances(chosen.masked_fill(~valid[:, :, :1], 0.0), rejected, valid)
    expected = torch.stack([(a[:4, None] - b).norm(dim=-1) for a, b in zip(chosen, rejected, strict=True)]) + 1e-6
    expected[0] /= expected[0].max()
    torch.testing.assert_close(actual[:, :4], expected, atol=1e-12, rtol=1e-9)
    assert actual[0, 0, 0] == actual[0, 1, 1] == actual[0, :4].min()  # equal states: zero, whatever the rounding
    assert (actual[:, 4] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_states_are_no_distance_apart_whatever_their_size(dtype):
    chosen = (states(11, 2, 40, 600) * torch.logspace(-3, 3, 40)[:, None]).to(dtype)
    actual = pairwise_distances(chosen, chosen.clone(), torch.ones(2, 40, 40, dtype=torch.bool))
    self_distances = actual.diagonal(dim1=1, dim2=2)
    assert (self_distances == self_distances[:, :1]).all()
    assert (self_distances < 1e-8).all()  # 1e-6 over the largest distance


def low_edit(dtype, common=0.0):
    """Two sides of 60 tokens: 40 shared, one edited, a tail that is slightly moved; all have a part in common."""
    chosen, moved = states(12, 2, 60, 200), 0.05 * states(13, 2, 60, 200)
    rejected = chosen.clone()
    rejected[:, 41:] += moved[:, 41:]
    rejected[:, 40] = states(14, 2, 200)
    shared = common * states(15, 200)
    return [(side + shared).to(dtype) for side in (chosen, rejected)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("common", [0.0, 3.0, 30.0])
@pytest.mark.parametrize("reg", [1.0, 0.1])
def test_single_precision_is_as_good_as_double(make_side, dtype, common, reg):
    # of the states as they are, rounded to bfloat16 or not; what they have in common cancels
    zeros = torch.zeros(2, 60, dtype=torch.float64)
    low, high = (
        build_loss("otpo", ot_reg=reg)._token_weights(
            *(replace(make_side(zeros, zeros), hidden_states=side.to(wide)) for side in low_edit(dtype, common))
        )
        for wide in (dtype, torch.float64)
    )
    for actual, expected in zip(low, high, strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("reg", "reg_m"), [(1.0, 0.2), (0.1, 0.2), (0.05, 0.02), (0.05, 0.5)])
@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_a_plan_kept_for_ten_iterations_is_one_made_anew(monkeypatch, dtype, reg, reg_m, fill):
    cost = torch.full((1, 20, 30), fill, dtype=dtype)
    cost[:, :5] = states(16, 1, 5, 30).sigmoid().to(dtype)
    actual = transported_mass(cost, everything(cost), reg, reg_m)
    monkeypatch.setattr("tabpo.losses._unbalanced_ot._factors_stay_in_range", lambda *_: False)
    for mass, expected in zip(actual, transported_mass(cost, everything(cost), reg, reg_m), strict=True):
        torch.testing.assert_close(mass, expected, atol=0, rtol=1e-5 if dtype == torch.float32 else 1e-6)


def test_a_plan_is_kept_where_its_factors_stay_in_range():
    # reg 0.1, reg_m 0.2: share 2/3, logs of scalings below (20/3 + 4/9 log 300) 9/5 = 16.6, range 2 16.6 + 10 + log 300
    kernel = torch.zeros(1, 300, 200)
    assert _factors_stay_in_range(kernel, 0.1, 2 / 3)
    assert not _factors_stay_in_range(kernel, 0.01, 20 / 21)
    assert _factors_stay_in_range(kernel.double(), 0.05, 10 / 11) and not _factors_stay_in_range(kernel, 0.05, 10 / 11)


@pytest.mark.parametrize(("dtype", "expected"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_distances_are_in_single_precision_at_least(dtype, expected):
    sides = [states(seed, 1, 3, 2).to(dtype) for seed in (1, 2)]
    assert pairwise_distances(*sides, torch.ones(1, 3, 3, dtype=torch.bool)).dtype == expected


@given(seed=st.integers(0, 10_000), reg=st.sampled_from([1.0, 0.1, 0.03]), padding=st.integers(0, 3))
@settings(max_examples=30)
def test_a_pair_alone_equals_the_pair_in_a_batch(make_pair, seed, reg, padding):
    # pairs of very unequal costs stop at different iterations
    pair = make_pair(seed)
    scale = torch.tensor([1e-3, 0.1, 10.0])[:, None, None]
    pair = [replace(side, hidden_states=side.hidden_states * scale) for side in pair]
    together = build_loss("otpo", ot_reg=reg)._token_weights(*pair)
    for row in range(3):
        alone = [cut(side, row, padding) for side in pair]
        for actual, expected in zip(build_loss("otpo", ot_reg=reg)._token_weights(*alone), together, strict=True):
            width = min(actual.shape[1], 6)
            torch.testing.assert_close(actual[0, :width], expected[row, :width], atol=1e-12, rtol=0)


def cut(side, row, padding):
    """One row, as wide as its completion and some padding."""
    width = int(side.completion_mask[row].sum())
    tensors = {name: value for name, value in vars(side).items() if isinstance(value, torch.Tensor)}
    rows = {name: value[row : row + 1, :width] for name, value in tensors.items()}
    return replace(
        side,
        **{n: torch.cat([v, torch.zeros_like(v[:, :1]).repeat_interleave(padding, 1)], 1) for n, v in rows.items()},
    )


def test_a_pair_that_has_converged_is_left_alone():
    easy, hard = torch.full((1, 30, 30), 1e-3, dtype=torch.float64), 1.2 * states(6, 1, 30, 30).sigmoid()
    both = torch.cat([easy, hard])
    for actual, expected in zip(
        transported_mass(both, everything(both), 0.02, 0.2),
        transported_mass(easy, everything(easy), 0.02, 0.2),
        strict=True,
    ):
        assert torch.equal(actual[0], expected[0])


@pytest.fixture(scope="session")
def twins():
    """Costs of which the first four tokens of both sides are twins, the others far from all."""
    cost = states(7, 1, 9, 11).sigmoid()
    cost[:, :4, :4] = torch.where(torch.eye(4) > 0, 0.0, cost[:, :4, :4])
    return cost


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("reg", "reg_m"), [(0.005, 0.02), (1e-3, 1e-3), (5e-4, 2e-3), (1e-5, 1e-4)])
def test_a_small_entropy_neither_overflows_nor_empties_a_row(twins, dtype, reg, reg_m):
    for masses in transported_mass(twins.to(dtype), everything(twins), reg, reg_m):
        assert masses.isfinite().all() and (masses[:, :4] > 0.5).all()


@pytest.mark.parametrize(("reg", "reg_m"), [(1.0, 0.2), (0.1, 0.2), (0.005, 0.02), (1e-3, 1e-3), (5e-4, 2e-3)])
def test_the_plan_is_optimal(twins, reg, reg_m):
    # where the slope of the objective is 0: G_ij = exp(-(C_ij + reg_m (log r_i + log c_j)) / reg), with its marginals
    rows, columns = transported_mass(twins, everything(twins), reg, reg_m)
    plan = (-(twins + reg_m * (rows.log()[:, :, None] + columns.log()[:, None, :])) / reg).exp()
    torch.testing.assert_close(plan.sum(2), rows, atol=0, rtol=1e-3)
    torch.testing.assert_close(plan.sum(1), columns, atol=0, rtol=1e-3)


@given(seed=st.integers(0, 10_000), reg=st.floats(0.02, 5), reg_m=st.floats(0.02, 2), scale=st.floats(1e-3, 1e3))
@settings(max_examples=40)
def test_both_sides_weigh_as_much_as_the_shorter_has_tokens(make_pair, seed, reg, reg_m, scale):
    pair = [replace(side, hidden_states=side.hidden_states * scale) for side in make_pair(seed)]
    weights = build_loss("otpo", ot_reg=reg, ot_reg_m=reg_m)._token_weights(*pair)
    shorter = torch.minimum(*(side.completion_mask.sum(-1) for side in pair)).double()
    for side, weight in zip(pair, weights, strict=True):
        torch.testing.assert_close(weight.sum(-1), shorter)
        assert (weight >= 0).all() and (weight[~side.completion_mask] == 0).all()


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), reg=st.floats(0.05, 5))
@settings(max_examples=40)
def test_an_identical_pair_scores_log_two(make_pair, seed, beta, reg):
    chosen, _ = make_pair(seed)
    losses = build_loss("otpo", beta=beta, ot_reg=reg)(chosen, chosen).losses
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2)), atol=1e-5, rtol=0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_swapping_the_sides_swaps_the_weights(make_pair, seed):
    chosen, rejected = make_pair(seed)
    loss = build_loss("otpo")
    for actual, expected in zip(
        loss._token_weights(rejected, chosen)[::-1], loss._token_weights(chosen, rejected), strict=True
    ):
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_large_entropy_is_dpo_where_lengths_are_equal(make_pair, seed):
    pair = [replace(side, completion_mask=torch.ones_like(side.completion_mask)) for side in make_pair(seed)]
    losses = build_loss("otpo", beta=0.1, ot_reg=1e7)(*pair).losses
    torch.testing.assert_close(losses, build_loss("dpo", beta=0.1)(*pair).losses, atol=1e-6, rtol=0)


def test_an_edited_token_weighs_least(make_side):
    # 40 tokens: 30 shared, one edited, a tail whose states are slightly moved
    chosen, moved = states(8, 1, 40, 64), 0.2 * states(9, 1, 40, 64)
    rejected = chosen.clone()
    rejected[:, 31:] += moved[:, 31:]
    rejected[:, 30] = states(10, 1, 64)
    zeros = torch.zeros(1, 40)
    pair = [replace(make_side(zeros, zeros), hidden_states=h) for h in (chosen, rejected)]
    for weights in build_loss("otpo", ot_reg=0.1)._token_weights(*pair):
        assert weights[0].argmin() == 30 and weights[0, 30] < 0.5
        assert weights[0, :30].mean() > 1 > weights[0, 31:].mean()
    for weights in build_loss("otpo", ot_reg=1.0)._token_weights(*pair):
        assert ((weights - 1).abs() < 0.1).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gradient_takes_the_weights_for_constants(make_pair, seed):
    # log-ratios to 50 nats; float64 against finite differences, and none to the states
    pair = [replace(side, policy_logps=12.5 * side.policy_logps) for side in make_pair(seed)]
    leaves = [side.policy_logps.clone().requires_grad_() for side in pair]
    hidden = [side.hidden_states.clone().requires_grad_() for side in pair]

    def total(*logps):
        sides = [replace(s, policy_logps=p, hidden_states=h) for s, p, h in zip(pair, logps, hidden, strict=True)]
        return build_loss("otpo")(*sides).losses.sum()

    assert torch.autograd.gradcheck(total, leaves, atol=1e-6, rtol=1e-6)
    assert torch.autograd.grad(total(*leaves), hidden, allow_unused=True) == (None, None)


@given(seed=st.integers(0, 10_000), poison=st.sampled_from([math.nan, math.inf, -math.inf, 1e30]))
@settings(max_examples=25)
def test_masked_states_and_log_probs_reach_neither_loss_nor_gradient(make_pair, seed, poison):
    clean = make_pair(seed)
    poisoned = [
        replace(
            side,
            policy_logps=side.policy_logps.masked_fill(~side.completion_mask, poison),
            reference_logps=side.reference_logps.masked_fill(~side.completion_mask, poison),
            hidden_states=side.hidden_states.masked_fill(~side.completion_mask[:, :, None], poison),
        )
        for side in clean
    ]
    results = []
    for pair in (clean, poisoned):
        leaves = [side.policy_logps.clone().requires_grad_() for side in pair]
        losses = build_loss("otpo")(*(replace(s, policy_logps=p) for s, p in zip(pair, leaves, strict=True))).losses
        results.append([losses, *torch.autograd.grad(losses.sum(), leaves)])
    for expected, actual in zip(*results, strict=True):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_nan_state_of_a_completion_is_not_hidden(make_pair, side, poison):
    sides = make_pair(1)
    broken = sides[side].hidden_states.clone()
    broken[1, 0, 2] = poison
    sides[side] = replace(sides[side], hidden_states=broken)
    assert build_loss("otpo")(*sides).losses.isnan().tolist() == [False, True, False]


def test_needs_hidden_states():
    assert build_loss("otpo").needs == {"hidden_states"}


@pytest.mark.parametrize("params", [{"beta": 0}, {"ot_reg": 0}, {"ot_reg_m": -0.2}, {"ot_reg": True}], ids=str)
def test_refused(params):
    with pytest.raises(ConfigError, match=f"otpo: {next(iter(params))} must be a number above 0"):
        build_loss("otpo", **params)
