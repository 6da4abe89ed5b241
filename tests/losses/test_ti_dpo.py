"""TI-DPO: published weights and base losses, a triplet worked by hand, and what importances and anchors may do."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


@pytest.fixture(scope="session")
def weigh(make_side):
    """Weights of completions of one batch, from their importances."""

    def weights(*importances, **params):
        width = max(map(len, importances))
        padded = torch.tensor([[*row, *[math.nan] * (width - len(row))] for row in importances]).double()
        side = make_side(torch.zeros_like(padded), torch.zeros_like(padded), mask=~padded.isnan())
        return build_loss("ti_dpo", **params)._token_weights(replace(side, importance=padded)).tolist()

    return weights


@pytest.fixture
def golden_with_fields(golden, make_side):
    anchor = make_side([[0.0]], [[0.0]])
    chosen = replace(golden[0], importance=row(1, 2, 5, 2), token_kl=row(0.01, 0.02, 0.10, 0.03), anchor=anchor)
    rejected = replace(golden[1], importance=row(1, 2, 4, 2, 1), token_kl=row(0.01, 0.02, 0.08, 0.02, 0.04))
    return chosen, rejected


@pytest.fixture(scope="session")
def make_pair(make_random_pair):
    """Pairs as by chance, with importances and an anchor a little shorter or longer than either side."""

    def make(seed, tokens=6):
        chosen, rejected = make_random_pair(seed, tokens=tokens)
        anchor, _ = make_random_pair(seed + 1, tokens=tokens + seed % 3 - 1)
        importances = torch.rand(2, *chosen.policy_logps.shape, generator=torch.Generator().manual_seed(seed)).double()
        return [replace(chosen, importance=importances[0], anchor=anchor), replace(rejected, importance=importances[1])]

    return make


def triplet(pair, **params):
    """The triplet term alone."""
    with_term, without = (build_loss("ti_dpo", gamma=gamma, **params)(*pair).losses for gamma in (1.0, 0.0))
    return with_term - without


def test_published_weights(weigh):
    chosen, rejected = weigh([1, 2, 5, 2], [1, 2, 4, 2, 1], lambda_=0.7, prior_divisor=4)
    assert chosen == pytest.approx([0.441364853, 0.998635147, 1.838635147, 0.721364853, 0.0], abs=1e-9)
    assert rejected == pytest.approx([0.488631744, 1.062064037, 1.898608438, 1.062064037, 0.488631744], abs=1e-9)


@pytest.mark.parametrize(("alpha", "expected"), [(0, 0.769736557), (0.5, 0.770005021)])
def test_published_base(golden_with_fields, alpha, expected):
    # M(chosen) - M(rejected) = -1.477278293; K(rejected) - K(chosen) = .01
    output = build_loss("ti_dpo", beta=0.1, alpha=alpha, lambda_=0.7, gamma=0)(*golden_with_fields)
    assert output.losses.item() == pytest.approx(expected, abs=1e-9)
    assert (output.chosen_rewards - output.rejected_rewards).item() == pytest.approx(-0.1477278293, abs=1e-10)


def test_the_prior_alone_by_hand(weigh):
    # T = 3, standard deviation 3/2: z = -2/3, 0, 2/3
    edge = math.exp(-2 / 9)
    expected = [3 * value / (1 + 2 * edge) for value in (edge, 1, edge)]
    assert weigh([9, 0, 0], lambda_=0, prior_divisor=2)[0] == pytest.approx(expected)
    assert weigh([0, 0, 0], lambda_=0.7, prior_divisor=2)[0] == pytest.approx(expected)


def test_importance_alone_by_hand(weigh):
    assert weigh([1, 3, 4], [0, 5], [7], lambda_=1) == [[0.375, 1.125, 1.5], [0, 2, 0], [1, 0, 0]]


@given(lambda_=st.floats(0, 1), divisor=st.floats(0.01, 1000), importance=st.floats(0, 1e30))
def test_a_lone_token_has_weight_one(weigh, lambda_, divisor, importance):
    assert weigh([importance], lambda_=lambda_, prior_divisor=divisor)[0] == pytest.approx([1.0])


@given(seed=st.integers(0, 10_000), lambda_=st.floats(0, 1), divisor=st.floats(0.01, 1000))
def test_weights_have_mean_one_and_reach_no_padding(make_pair, seed, lambda_, divisor):
    for side in make_pair(seed):
        weights = build_loss("ti_dpo", lambda_=lambda_, prior_divisor=divisor)._token_weights(side)
        torch.testing.assert_close(weights.sum(-1), side.completion_mask.sum(-1).double())
        assert (weights >= 0).all() and (weights[~side.completion_mask] == 0).all()


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-6, 1e6))
def test_only_ratios_of_importances_count(make_pair, seed, factor):
    pair = make_pair(seed)
    scaled = [replace(side, importance=side.importance * factor) for side in pair]
    torch.testing.assert_close(build_loss("ti_dpo")(*scaled).losses, build_loss("ti_dpo")(*pair).losses)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), alpha=st.floats(0, 2))
def test_equal_weights_give_tdpo2(make_pair, seed, beta, alpha):
    # a flat attribution, and no prior
    pair = [replace(side, importance=torch.ones_like(side.importance)) for side in make_pair(seed)]
    flat = build_loss("ti_dpo", beta=beta, alpha=alpha, lambda_=1, gamma=0)(*pair).losses
    torch.testing.assert_close(flat, build_loss("tdpo2", beta=beta, alpha=alpha)(*pair).losses)


@given(seed=st.integers(0, 10_000), alpha=st.floats(0, 2), margin=st.floats(0, 2))
def test_an_identical_pair_scores_log_two_and_the_margin(make_pair, seed, alpha, margin):
    chosen, _ = make_pair(seed)
    losses = build_loss("ti_dpo", alpha=alpha, gamma=0.3, margin=margin)(chosen, chosen).losses
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2) + 0.3 * margin))


def test_triplet_by_hand(make_side):
    # log-ratios: anchor .5, -1, 2; chosen 0, -.5; rejected .5, 1, 1, 3
    # chosen: .5^2 + .5^2 = .5; rejected: 0 + 2^2 + 1^2 = 5, its fourth token has no counterpart
    anchor = make_side([[0.5, -1, 2]], [[0.0, 0, 0]])
    pair = [make_side([[0.0, -0.5]], [[0.0, 0]]), make_side([[0.5, 1, 1, 3]], [[0.0, 0, 0, 0]])]
    pair = [replace(side, importance=side.policy_logps * 0 + 1, token_kl=side.policy_logps * 0) for side in pair]
    pair[0] = replace(pair[0], anchor=anchor)
    assert triplet(pair, margin=5.5).item() == pytest.approx(0.5 - 5 + 5.5)
    assert triplet(pair, margin=4.4).item() == 0
    base = build_loss("ti_dpo", gamma=0)(*pair).losses.item()
    assert build_loss("ti_dpo", gamma=0.1, margin=5.5)(*pair).losses.item() == pytest.approx(base + 0.1)


def test_the_triplet_draws_the_anchor_to_the_chosen_side(make_side):
    # one token, anchor 1, chosen 3, rejected 2: (1-3)^2 - (1-2)^2 = 3; slopes 2(c-b), -2(d-b), 2(d-c)
    leaves = [torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in (1.0, 3.0, 2.0)]
    zero = torch.zeros(1, 1, dtype=torch.float64)
    anchor, chosen, rejected = (
        replace(make_side(leaf.detach(), zero), policy_logps=leaf, importance=zero + 1, token_kl=zero)
        for leaf in leaves
    )
    term = triplet([replace(chosen, anchor=anchor), rejected], margin=0.0)
    assert term.item() == pytest.approx(3)
    actual = torch.autograd.grad(term, leaves)
    assert [gradient.item() for gradient in actual] == pytest.approx([-2.0, 4.0, -2.0])


def test_the_kl_of_the_chosen_side_is_a_constant(golden_with_fields):
    # slope of the loss by the KL gap: beta alpha sigmoid(-beta * margin)
    kls = [side.token_kl.clone().requires_grad_() for side in golden_with_fields]
    sides = [replace(side, token_kl=kl) for side, kl in zip(golden_with_fields, kls, strict=True)]
    losses = build_loss("ti_dpo", beta=0.1, alpha=0.5, gamma=0)(*sides).losses
    chosen, rejected = torch.autograd.grad(losses, kls, allow_unused=True)
    assert chosen is None
    assert rejected[0].tolist() == pytest.approx([0.05 * (1 - math.exp(-losses.item()))] * 5)


def leaves_of(pair):
    tensors = [pair[0].policy_logps, pair[1].policy_logps, pair[0].anchor.policy_logps]
    kls = [side.token_kl for side in pair]
    return [tensor.clone().requires_grad_() for tensor in tensors + kls]


def with_leaves(pair, chosen, rejected, anchor, chosen_kl, rejected_kl):
    anchor = replace(pair[0].anchor, policy_logps=anchor)
    return [
        replace(pair[0], policy_logps=chosen, token_kl=chosen_kl, anchor=anchor),
        replace(pair[1], policy_logps=rejected, token_kl=rejected_kl),
    ]


@pytest.mark.parametrize("scale", [1.0, 12.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gradient_is_that_of_finite_differences(make_pair, seed, scale):
    # log-probs to -48 nats; the chosen side's KL is a constant in the loss, so it is left out
    pair = [replace(side, policy_logps=side.policy_logps * scale) for side in make_pair(seed)]
    pair[0] = replace(pair[0], anchor=replace(pair[0].anchor, policy_logps=pair[0].anchor.policy_logps * scale))
    chosen, rejected, anchor, chosen_kl, rejected_kl = leaves_of(pair)
    loss = build_loss("ti_dpo", margin=20_000.0)  # opens every hinge

    def total(chosen, rejected, anchor, rejected_kl):
        return loss(*with_leaves(pair, chosen, rejected, anchor, chosen_kl.detach(), rejected_kl)).losses.sum()

    leaves = [chosen, rejected, anchor, rejected_kl]
    assert torch.autograd.grad(total(*leaves), anchor)[0].any()
    assert torch.autograd.gradcheck(total, leaves, atol=1e-6, rtol=1e-6)


@given(seed=st.integers(0, 10_000), poison=st.sampled_from([math.nan, math.inf, -1e30]))
def test_masked_positions_of_all_fields_reach_neither_loss_nor_gradient(make_pair, seed, poison):
    clean = make_pair(seed)

    def spoil(side):
        fields = ("policy_logps", "reference_logps", "token_kl", "importance")
        return replace(
            side,
            **{
                field: getattr(side, field).masked_fill(~side.completion_mask, poison)
                for field in fields
                if getattr(side, field) is not None
            },
        )

    poisoned = [spoil(side) for side in clean]
    poisoned[0] = replace(poisoned[0], anchor=spoil(clean[0].anchor))
    loss, results = build_loss("ti_dpo", margin=1.0), []
    for pair in (clean, poisoned):
        leaves = leaves_of(pair)
        losses = loss(*with_leaves(pair, *leaves)).losses
        actual = torch.autograd.grad(losses.sum(), leaves, allow_unused=True, materialize_grads=True)
        results.append([losses, *actual])
    for expected, got in zip(*results, strict=True):
        assert torch.equal(got, expected)


@given(seed=st.integers(0, 10_000))
def test_padding_changes_nothing(make_pair, seed):
    pair = make_pair(seed)

    def widen(side):
        return replace(
            side,
            **{
                name: torch.nn.functional.pad(value, (0, 3))
                for name, value in vars(side).items()
                if isinstance(value, torch.Tensor)
            },
        )

    wide = [widen(side) for side in pair]
    wide[0] = replace(wide[0], anchor=widen(pair[0].anchor))
    torch.testing.assert_close(
        build_loss("ti_dpo")(*wide).losses, build_loss("ti_dpo")(*pair).losses, atol=1e-13, rtol=0
    )


@pytest.mark.parametrize("field", ["importance", "token_kl"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_nan_of_a_completion_is_not_hidden(golden_with_fields, field, side):
    sides = list(golden_with_fields)
    sides[side] = replace(sides[side], **{field: torch.full_like(sides[side].importance, math.nan)})
    assert build_loss("ti_dpo")(*sides).losses.isnan().all()


def test_a_nan_of_the_anchor_is_not_hidden(golden_with_fields, make_side):
    chosen, rejected = golden_with_fields
    chosen = replace(chosen, anchor=make_side([[math.nan]], [[0.0]]))
    assert build_loss("ti_dpo")(chosen, rejected).losses.isnan().all()


def test_needs_kl_importance_and_anchor():
    assert build_loss("ti_dpo", alpha=0, gamma=0).needs == {"token_kl", "importance", "anchor"}


@pytest.mark.parametrize(
    "params",
    [{"beta": 0}, {"prior_divisor": 0}, {"alpha": -0.1}, {"gamma": -1}, {"margin": -1}, {"lambda_": 1.1}],
    ids=str,
)
def test_refused(params):
    with pytest.raises(ConfigError, match=f"ti_dpo: {next(iter(params))} must be a number"):
        build_loss("ti_dpo", **params)
