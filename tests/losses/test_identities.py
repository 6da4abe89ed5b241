"""What losses of a margin have in common, over random lengths, masks and hyperparameters."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.losses import build_loss
from tabpo.losses._interface import masked_mean

BETA = st.floats(0.01, 5)
WEIGHTS = {"label_weight": 1.5, "sublabel_weight": 0.5, "span_weight": 2.0, "difference_weight": 3.0}
SYMMETRIC = [
    ("dpo", {}),
    ("dpo_mean", {}),
    ("simpo", {"gamma": 0}),
    ("tdpo1", {}),
    ("tdpo2", {"alpha": 0.7}),
    ("ti_dpo", {"gamma": 0}),
    ("otpo", {}),
    ("otpo", {"ot_reg": 1.0}),
    ("tab_po", {"lambda_": 0}),
    ("tab_po", {"lambda_": 0, "aggregate": "mean", **WEIGHTS}),
]
SUMS = [
    ("dpo", {}),
    ("cdpo", {"epsilon": 0.2}),
    ("robust_dpo", {"epsilon": 0.2}),
    ("ipo_sum", {}),
    ("bpo", {}),
    ("bpo", {"lambda_": 0.5}),
    ("hinge", {}),
    ("tdpo1", {}),
    ("tdpo2", {}),
    ("tab_po", {"lambda_": 0}),
]

REWARDS_OF_DPO = ["cdpo", "robust_dpo", "ipo_sum", "hinge", "dpop", "rpo", "kto_pair", "cal_dpo", "tab_po"]
REWARDS_OF_DPO += ["tdpo1", "tdpo2", "tbpo_a", "tbpo_q", "bpo", "apo_zero", "apo_down", "dpo_shift"]
MARGINS_OF_REWARDS = [variant for variant in SYMMETRIC if variant[0] not in ("tdpo1", "tdpo2", "ti_dpo")]
MARGINS_OF_REWARDS += [("ti_dpo", {"alpha": 0, "gamma": 0})]


@pytest.mark.parametrize(("name", "params"), SYMMETRIC, ids=str)
@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 9), beta=BETA)
@settings(max_examples=15, deadline=None)
def test_both_orders_have_probabilities_that_add_up_to_one(make_random_pair, name, params, seed, tokens, beta):
    # exp(-loss) = sigmoid(margin), and swapping the sides turns the margin's sign
    chosen, rejected = make_random_pair(seed, tokens=tokens)
    rejected = replace(rejected, anchor=chosen.anchor)
    loss = build_loss(name, beta=beta, **params)
    total = torch.exp(-loss(chosen, rejected).losses) + torch.exp(-loss(rejected, chosen).losses)
    torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize(("name", "params"), [*SYMMETRIC, ("cdpo", {}), ("robust_dpo", {})], ids=str)
@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 9), beta=BETA)
@settings(max_examples=15, deadline=None)
def test_an_identical_pair_scores_log_two(make_random_pair, name, params, seed, tokens, beta):
    chosen, _ = make_random_pair(seed, tokens=tokens)
    losses = build_loss(name, beta=beta, **params)(chosen, chosen).losses
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2)))


@pytest.mark.parametrize(("name", "params"), MARGINS_OF_REWARDS, ids=str)
@given(seed=st.integers(0, 10_000), beta=BETA)
@settings(max_examples=15, deadline=None)
def test_the_loss_is_that_of_the_margin_of_rewards(make_random_pair, name, params, seed, beta):
    output = build_loss(name, beta=beta, **params)(*make_random_pair(seed))
    margin = output.chosen_rewards - output.rejected_rewards
    torch.testing.assert_close(output.losses, -torch.nn.functional.logsigmoid(margin))


@pytest.mark.parametrize("name", REWARDS_OF_DPO)
@given(seed=st.integers(0, 10_000), beta=BETA)
@settings(max_examples=15, deadline=None)
def test_rewards_are_those_of_dpo(make_random_pair, name, seed, beta):
    pair = make_random_pair(seed)
    output, dpo = build_loss(name, beta=beta)(*pair), build_loss("dpo", beta=beta)(*pair)
    torch.testing.assert_close(output.chosen_rewards, dpo.chosen_rewards)
    torch.testing.assert_close(output.rejected_rewards, dpo.rejected_rewards)


@pytest.mark.parametrize(("name", "params"), SUMS, ids=str)
@given(seed=st.integers(0, 10_000), prefix=st.integers(1, 8), beta=BETA)
@settings(max_examples=15, deadline=None)
def test_a_shared_prefix_gets_opposite_gradients(make_random_pair, gradients_of, name, params, seed, prefix, beta):
    # the same tokens in the same states: what they get on one side, the other takes back
    pair = make_random_pair(seed, tokens=8)
    for field in ("policy_logps", "reference_logps", "token_kl"):
        getattr(pair[1], field)[:, :prefix] = getattr(pair[0], field)[:, :prefix]
    _, actual = gradients_of(build_loss(name, beta=beta, **params), pair)
    both = (pair[0].completion_mask & pair[1].completion_mask)[:, :prefix]
    added = (actual[0] + actual[len(actual) // 2])[:, :prefix]
    torch.testing.assert_close(added[both], torch.zeros_like(added[both]), atol=1e-12, rtol=0)


@pytest.mark.parametrize("params", [{}, {"gate_fields": "schema"}, {"weighted_barrier": True, **WEIGHTS}], ids=str)
@given(seed=st.integers(0, 10_000), tau=st.floats(0.01, 0.99), lambda_=st.floats(0, 5))
def test_there_is_no_barrier_where_all_tokens_reach_tau(make_random_pair, params, seed, tau, lambda_):
    chosen, rejected = make_random_pair(seed)
    sure = replace(chosen, policy_logps=chosen.policy_logps.clamp(min=math.log(tau)))
    with_barrier = build_loss("tab_po", tau=tau, lambda_=lambda_, **params)(sure, rejected)
    without = build_loss("tab_po", lambda_=0, **params)(sure, rejected)
    assert not with_barrier.gate.any()
    assert torch.equal(with_barrier.losses, without.losses)


@given(seed=st.integers(0, 10_000), tau=st.floats(0.01, 1), lambda_=st.floats(0.1, 5))
def test_the_gate_passes_no_gradient(make_random_pair, gradients_of, seed, tau, lambda_):
    # a gated token gets lambda / (number of gated tokens) on top of the preference term, another nothing
    pair = make_random_pair(seed)
    output, (chosen, _) = gradients_of(build_loss("tab_po", tau=tau, lambda_=lambda_), pair)
    _, (preference, _) = gradients_of(build_loss("tab_po", lambda_=0), pair)
    expected = -lambda_ * output.gate.double() / output.gate.sum(-1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(chosen - preference, expected, atol=1e-12, rtol=0)


@given(seed=st.integers(0, 10_000), lambda_=st.floats(0.1, 5), temperature=st.floats(0.1, 3))
def test_a_soft_gate_at_the_mean_passes_no_gradient(make_random_pair, gradients_of, seed, lambda_, temperature):
    # each token gets its share of lambda: neither its own place in the gate nor that in the mean moves
    pair = make_random_pair(seed)
    loss = build_loss("tab_po", tau="mean", lambda_=lambda_, gate_temperature=temperature)
    _, (chosen, _) = gradients_of(loss, pair)
    _, (preference, _) = gradients_of(replace(loss, lambda_=0.0), pair)
    logps, mask = pair[0].policy_logps, pair[0].completion_mask
    log_mean = masked_mean(logps.exp(), mask).log()[:, None]
    strength = torch.sigmoid((log_mean - logps) / temperature) * mask
    expected = -lambda_ * strength / strength.sum(-1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(chosen - preference, expected, atol=1e-12, rtol=0)


def test_masked_means():
    # what open-instruct's test_dpo_utils.py expects: -2, -1.5 for a part, 0 where all is masked
    logps, mask = torch.tensor([[-1.0, -2.0, -3.0]] * 3), torch.tensor([[True] * 3, [True, True, False], [False] * 3])
    full, partial, empty = masked_mean(logps, mask).tolist()
    assert (full, partial) == (-2.0, -1.5)
    # 0 would be a perfect score; here it is a NaN, which stops a run; as nothing is truncated, no pair is like that
    assert math.isnan(empty)
