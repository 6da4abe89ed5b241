"""TAB-PO in the paper's form and in that of the authors' code."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import TokenField, build_loss


def test_paper_form(golden):
    # preference term log(1 + exp(.5 * .7)) = 0.883382155; gate: only -1.5 < log .66 = -.4155; barrier 1.5
    output = build_loss("tab_po", beta=0.5, tau=0.66, lambda_=0.5)(*golden)
    assert output.losses.item() == pytest.approx(0.883382155 + 0.5 * 1.5, abs=1e-9)
    assert output.gate.tolist() == [[False, False, True, False]]


def code_form(golden):
    """Raw weights 1, 1, 1.44, 1 and 1, 1, 1.44, 1, 1: a differing sub-code token on either side."""
    sides = []
    for side in golden:
        third = torch.arange(side.policy_logps.shape[1]) == 2
        fields = torch.where(third, TokenField.SUBLABEL, TokenField.SCAFFOLDING).to(torch.int8)
        sides.append(replace(side, token_fields=fields[None], differs=third[None]))
    return sides


def test_code_form(golden):
    loss = build_loss(
        "tab_po",
        beta=0.5,
        tau=0.66,
        lambda_=0.5,
        aggregate="mean",
        label_weight=1.1,
        sublabel_weight=1.2,
        span_weight=1.1,
        difference_weight=1.2,
        weighted_barrier=True,
    )
    output = loss(*code_form(golden))
    margin = (output.chosen_rewards - output.rejected_rewards).item() / 0.5
    assert margin == pytest.approx(-0.216981320, abs=1e-9)
    assert output.losses.item() == pytest.approx(1.498863067, abs=1e-9)


def test_weights_by_field(make_side):
    # raw weights 1, 2, 3, 5 for scaffolding, label, sub-label, span; normalised by 4 / 11
    fields = [[TokenField.SCAFFOLDING, TokenField.LABEL, TokenField.SUBLABEL, TokenField.SPAN]]
    chosen = make_side([[-1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]], fields=fields)
    rejected = make_side([[0.0]], [[0.0]])
    loss = build_loss("tab_po", beta=1.0, lambda_=0, label_weight=2, sublabel_weight=3, span_weight=5)
    assert loss(chosen, rejected).chosen_rewards.item() == pytest.approx(-4 / 11)
    for token, raw in enumerate((1, 2, 3, 5)):
        policy = torch.zeros(1, 4, dtype=torch.float64)
        policy[0, token] = -1.0
        moved = replace(chosen, policy_logps=policy)
        assert loss(moved, rejected).chosen_rewards.item() == pytest.approx(-raw * 4 / 11)


def test_ids_and_links_weigh_as_scaffolding(make_side):
    fields = [[TokenField.SCAFFOLDING, TokenField.ID, TokenField.LINK]]
    chosen = make_side([[-1.0, -2.0, -3.0]], [[0.0, 0.0, 0.0]], fields=fields)
    loss = build_loss("tab_po", beta=1.0, lambda_=0, label_weight=2, sublabel_weight=3, span_weight=5)
    assert loss(chosen, chosen).chosen_rewards.item() == pytest.approx(-6.0)


@pytest.mark.parametrize(
    ("policy", "barrier"),
    [
        ([-0.01, -0.02, -0.05], 0.0),  # none under .9
        ([-0.01, -0.02, -3.0], 3.0),  # one
        ([-1.0, -2.0, -3.0], 2.0),  # all: the mean over gated tokens, not over all tokens of the batch
    ],
)
def test_barrier_averages_over_gated_tokens(make_side, policy, barrier):
    chosen = make_side([policy, [-0.5, -0.5, -0.5]], [policy, [-0.5, -0.5, -0.5]])
    losses = build_loss("tab_po", tau=0.9, lambda_=1.0)(chosen, chosen).losses
    assert losses.tolist() == pytest.approx([math.log(2) + barrier, math.log(2) + 0.5])


def test_weighted_barrier_divides_by_at_least_one(make_side):
    # one gated scaffolding token beside three labels of weight 9: its weight 4 / 28 = 1 / 7 is less than 1
    fields = [[TokenField.SCAFFOLDING, TokenField.LABEL, TokenField.LABEL, TokenField.LABEL]]
    chosen = make_side([[-7.0, 0.0, 0.0, 0.0]], [[-7.0, 0.0, 0.0, 0.0]], fields=fields)
    loss = build_loss("tab_po", lambda_=1.0, label_weight=9, weighted_barrier=True)
    assert loss(chosen, chosen).losses.item() == pytest.approx(math.log(2) + 7.0 / 7)


def test_rejected_tokens_are_never_gated(golden):
    # both sides far under tau: the barrier's gradient reaches the chosen side alone
    leaves = [side.policy_logps.clone().requires_grad_() for side in golden]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip(golden, leaves, strict=True)]
    with_barrier = build_loss("tab_po", lambda_=1.0, tau=1.0)(*sides).losses.sum()
    without = build_loss("tab_po", lambda_=0.0)(*sides).losses.sum()
    gradients = torch.autograd.grad(with_barrier - without, leaves)
    torch.testing.assert_close(gradients[0], torch.full_like(leaves[0], -1 / 4))
    torch.testing.assert_close(gradients[1], torch.zeros_like(leaves[1]))


def test_a_token_at_tau_is_not_gated(make_side):
    at_tau = make_side([[math.log(0.9), math.log(0.9) - 1e-9]], [[0.0, 0.0]])
    assert build_loss("tab_po", tau=0.9)(at_tau, at_tau).gate.tolist() == [[False, True]]


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_without_barrier_and_weights_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    tab_po, dpo = build_loss("tab_po", beta=beta, lambda_=0)(*pair), build_loss("dpo", beta=beta)(*pair)
    assert torch.equal(tab_po.losses, dpo.losses)
    assert torch.equal(tab_po.chosen_rewards, dpo.chosen_rewards)


@given(seed=st.integers(0, 10_000))
def test_ungated_is_rpo(make_random_pair, seed):
    # tau 1 gates every token below certainty, so the barrier is the mean surprise
    pair = make_random_pair(seed)
    tab_po = build_loss("tab_po", beta=0.1, tau=1.0, lambda_=0.7)(*pair).losses
    torch.testing.assert_close(tab_po, build_loss("rpo", beta=0.1, alpha=0.7)(*pair).losses)


@given(seed=st.integers(0, 10_000), weight=st.floats(0.1, 10))
def test_equal_weights_are_no_weights(make_random_pair, seed, weight):
    # weights are scaled to mean 1: a factor on every token changes nothing
    chosen, rejected = (replace(s, differs=torch.ones_like(s.differs)) for s in make_random_pair(seed))
    weighted = build_loss("tab_po", difference_weight=weight, weighted_barrier=True)(chosen, rejected).losses
    torch.testing.assert_close(weighted, build_loss("tab_po")(chosen, rejected).losses)


@given(seed=st.integers(0, 10_000))
def test_mean_is_sum_over_length(make_random_pair, seed):
    chosen, rejected = make_random_pair(seed)
    mean = build_loss("tab_po", aggregate="mean", span_weight=2)(chosen, rejected)
    total = build_loss("tab_po", aggregate="sum", span_weight=2)(chosen, rejected)
    torch.testing.assert_close(mean.chosen_rewards * chosen.completion_mask.sum(-1), total.chosen_rewards)


def test_the_mean_probability_as_threshold(golden):
    # (.904837 + .818731 + .223130 + .740818) / 4 = .671879: the third token alone is below
    output = build_loss("tab_po", beta=0.5, tau="mean", lambda_=0.5)(*golden)
    assert output.gate.tolist() == [[False, False, True, False]]
    assert output.losses.item() == pytest.approx(0.883382155 + 0.5 * 1.5, abs=1e-9)


@given(seed=st.integers(0, 10_000))
def test_the_mean_is_that_of_each_completion(make_random_pair, map_side, seed):
    pair = make_random_pair(seed)
    followed = build_loss("tab_po", tau="mean")(*pair)
    for row in range(3):
        chosen, rejected = (map_side(lambda _, x: x[row : row + 1], side) for side in pair)  # noqa: B023
        mean = chosen.policy_logps[chosen.completion_mask].exp().mean().item()
        fixed = build_loss("tab_po", tau=mean * (1 - 1e-12))(chosen, rejected)
        assert torch.equal(fixed.gate[0], followed.gate[row])
        torch.testing.assert_close(fixed.losses[0], followed.losses[row])


def test_equal_tokens_are_never_below_their_mean(make_side):
    even = make_side([[-0.3, -0.3, -0.3], [-1 / 3, -1 / 3, -1 / 3]], [[0.0] * 3] * 2)
    assert not build_loss("tab_po", tau="mean")(even, even).gate.any()


def test_the_gate_on_tokens_of_the_schema(make_side):
    chosen = make_side([[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]], [[0.0] * 6], fields=[list(TokenField)])
    fields = TokenField.SCAFFOLDING, TokenField.LABEL, TokenField.SUBLABEL, TokenField.SPAN, TokenField.LINK
    assert (*fields, TokenField.ID) == tuple(TokenField)
    output = build_loss("tab_po", lambda_=1.0, gate_fields="schema")(chosen, chosen)
    assert output.gate.tolist() == [[False, True, True, False, True, False]]
    assert output.losses.item() == pytest.approx(math.log(2) + (2 + 3 + 5) / 3)
    scaffolding = replace(chosen, token_fields=torch.zeros_like(chosen.token_fields))
    assert build_loss("tab_po", gate_fields="schema")(scaffolding, chosen).losses.item() == pytest.approx(math.log(2))


def test_the_soft_gate(golden, gradients_of):
    # strengths sigmoid(log .66 - logp), which is .66 / (.66 + p), by hand for p = exp(-.1), ...; a constant
    loss = build_loss("tab_po", beta=0.5, tau=0.66, lambda_=0.5, gate_temperature=1.0)
    strengths = [0.66 / (0.66 + math.exp(-surprise)) for surprise in (0.1, 0.2, 1.5, 0.3)]
    assert strengths == pytest.approx([0.421769, 0.446329, 0.747342, 0.471154], abs=1e-6)
    barrier = sum(s * x for s, x in zip(strengths, (0.1, 0.2, 1.5, 0.3), strict=True)) / sum(strengths)
    output, (chosen, _) = gradients_of(loss, golden)
    assert output.losses.item() == pytest.approx(0.883382155 + 0.5 * barrier, abs=1e-9)
    assert output.gate.tolist() == [[False, False, True, False]]
    _, (preference, _) = gradients_of(replace(loss, lambda_=0.0), golden)
    expected = torch.tensor([[-0.5 * strength / sum(strengths) for strength in strengths]], dtype=torch.float64)
    torch.testing.assert_close(chosen - preference, expected)


@given(seed=st.integers(0, 10_000), tau=st.sampled_from([0.3, 0.9, "mean"]), weighted=st.booleans())
def test_a_cold_soft_gate_is_the_hard_one(make_random_pair, seed, tau, weighted):
    pair = make_random_pair(seed)
    hard = build_loss("tab_po", tau=tau, span_weight=2, weighted_barrier=weighted)
    # one-token completions are at their own mean, where a soft gate is half open at any temperature
    apart = (pair[0].completion_mask.sum(-1) > 1) | (tau != "mean")
    soft = replace(hard, gate_temperature=1e-9)(*pair).losses
    torch.testing.assert_close(soft[apart], hard(*pair).losses[apart], atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10_000), temperature=st.floats(0.01, 10))
def test_at_tau_one_a_soft_gate_is_open(make_random_pair, seed, temperature):
    pair = make_random_pair(seed)
    soft = build_loss("tab_po", tau=1.0, gate_temperature=temperature)(*pair).losses
    assert torch.equal(soft, build_loss("tab_po", tau=1.0)(*pair).losses)


@given(seed=st.integers(0, 10_000), tau=st.floats(0.05, 1), lambda_=st.floats(0, 3))
def test_without_extensions_it_is_the_paper_s_bit_for_bit(make_random_pair, seed, tau, lambda_):
    pair = make_random_pair(seed)
    plain = build_loss("tab_po", tau=tau, lambda_=lambda_, gate_fields="all", gate_temperature=0.0)(*pair)
    barrier = build_loss("gated_sft", tau=tau)(*pair)
    assert torch.equal(plain.losses, build_loss("dpo")(*pair).losses + lambda_ * barrier.losses)
    assert torch.equal(plain.gate, barrier.gate)


@pytest.mark.parametrize(
    ("params", "accepted"),
    [
        ({"beta": 0}, "a number above 0"),
        ({"tau": 0}, "a number above 0, up to 1, or mean"),
        ({"tau": 1.01}, "a number above 0, up to 1, or mean"),
        ({"tau": True}, "a number above 0, up to 1, or mean"),
        ({"tau": "median"}, "a number above 0, up to 1, or mean"),
        ({"lambda_": -0.1}, "a number from 0"),
        ({"lambda_": "0.5"}, "a number from 0"),
        ({"aggregate": "summed"}, "one of sum, mean"),
        ({"aggregate": None}, "one of sum, mean"),
        ({"label_weight": 0}, "a number above 0"),
        ({"sublabel_weight": math.inf}, "a number above 0"),
        ({"span_weight": math.nan}, "a number above 0"),
        ({"difference_weight": -1}, "a number above 0"),
        ({"weighted_barrier": 1}, "one of True, False"),
        ({"weighted_barrier": "yes"}, "one of True, False"),
        ({"gate_fields": "label"}, "one of all, schema"),
        ({"gate_temperature": -1}, "a number from 0"),
    ],
)
def test_refused(params, accepted):
    with pytest.raises(ConfigError, match=f"tab_po: {next(iter(params))} must be {accepted}, got"):
        build_loss("tab_po", **params)
