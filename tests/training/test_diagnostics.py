"""Gradient shares equal those from real gradients of logits; sums add up over micro-batches."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.losses import LossOutput, Side, build_loss, loss_names
from tabpo.scoring.tokenise import differing_tokens
from tabpo.training.diagnostics import SUMS, gradient_norms, pair_sums, step_quantities

VOCABULARY = 6


class Pairs:
    """Pairs of random completions with a logit vector for every state; both sides share the states of their prefix."""

    def __init__(self, seed: int, pairs: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.ids = [self._completions(generator) for _ in range(pairs)]
        self.logits = [self._states(generator, *ids) for ids in self.ids]

    def _completions(self, generator):
        common, chosen, rejected = (
            torch.randint(1, VOCABULARY, (int(n),), generator=generator).tolist()
            for n in torch.randint(0, 4, (3,), generator=generator)
        )
        chosen, rejected = [*common, *chosen, 0], [*common, *rejected, 0]
        return (chosen, rejected) if chosen != rejected else (chosen, [1, *rejected])

    def _states(self, generator, chosen, rejected):
        def states(number):
            return torch.randn(number, VOCABULARY, generator=generator, dtype=torch.float64) * 2

        prefix = next(n for n in range(len(chosen)) if chosen[n] != rejected[n])
        shared = states(prefix + 1).requires_grad_()  # includes the state that scores the first differing token
        suffixes = (states(len(ids) - prefix - 1).requires_grad_() for ids in (chosen, rejected))
        return shared, *suffixes

    def sides(self):
        width = max(len(ids) for pair in self.ids for ids in pair)
        rows = ([], [])
        for pair, (shared, *suffixes) in zip(self.ids, self.logits, strict=True):
            differs = differing_tokens(*pair)
            for side in (0, 1):
                ids = pair[side]
                logps = torch.cat([shared, suffixes[side]]).log_softmax(-1)[range(len(ids)), ids]
                pad = width - len(ids)
                rows[side].append(
                    (
                        torch.cat([logps, logps.new_full((pad,), math.nan)]),
                        torch.tensor([*[True] * len(ids), *[False] * pad]),
                        torch.tensor([*differs[side], *[True] * pad]),
                        torch.tensor([*ids, *[0] * pad]),
                    )
                )
        columns = [[torch.stack(column) for column in zip(*side, strict=True)] for side in rows]
        sides = [
            Side(
                policy_logps=logps,
                reference_logps=torch.linspace(-3, -0.1, logps.numel(), dtype=torch.float64).view_as(logps),
                completion_mask=mask,
                token_fields=torch.zeros_like(mask, dtype=torch.int8),
                differs=differs,
            )
            for logps, mask, differs, _ in columns
        ]
        return sides[0], sides[1], torch.cat([columns[0][3], columns[1][3]])

    def norms_of_logits(self, loss):
        """Norms on edited tokens, prefix and tail, from the gradients of the logits by autograd."""
        chosen, rejected, _ = self.sides()
        loss(chosen, rejected).losses.sum().backward()
        totals = []
        for (chosen_ids, rejected_ids), (shared, *suffixes) in zip(self.ids, self.logits, strict=True):
            at_states = shared.grad.abs().sum(-1)
            edited, prefix, tail = at_states[-1], at_states[:-1].sum(), torch.zeros((), dtype=torch.float64)
            for differs, states in zip(differing_tokens(chosen_ids, rejected_ids), suffixes, strict=True):
                after = torch.tensor(differs[len(at_states) :], dtype=torch.bool)
                gradient = torch.zeros_like(states) if states.grad is None else states.grad
                edited = edited + gradient.abs().sum(-1)[after].sum()
                tail = tail + gradient.abs().sum(-1)[~after].sum()
            totals.append((edited, prefix, tail))
        return [torch.stack(column) for column in zip(*totals, strict=True)]


def sums_of(loss, chosen, rejected, completion_ids):
    """The sums of a step: log-probs carry a gradient, and the loss is called once."""
    sides = [replace(side, policy_logps=side.policy_logps.detach().requires_grad_()) for side in (chosen, rejected)]
    return pair_sums(loss(*sides), *sides, completion_ids)


def norms_of(loss, chosen, rejected, completion_ids):
    leaves = [side.policy_logps.detach().requires_grad_() for side in (chosen, rejected)]
    sides = [replace(side, policy_logps=leaf) for side, leaf in zip((chosen, rejected), leaves, strict=True)]
    gradients = torch.autograd.grad(loss(*sides).losses.sum(), leaves, allow_unused=True, materialize_grads=True)
    return gradient_norms(chosen, rejected, *gradients, completion_ids)


@pytest.mark.parametrize("name", [name for name in loss_names() if not build_loss(name).needs])
@given(seed=st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_norms_are_those_of_real_logits(name, seed):
    loss = build_loss(name)
    pairs = Pairs(seed, 3)
    norms = norms_of(loss, *pairs.sides())
    for part, expected in zip(norms, pairs.norms_of_logits(loss), strict=True):
        torch.testing.assert_close(part, expected, atol=1e-12, rtol=1e-9)


def test_dpo_leaves_the_shared_prefix_alone():
    # both sides are in the same states there, and their gradients cancel
    chosen, rejected, ids = Pairs(11, 8).sides()
    edited, prefix, tail = norms_of(build_loss("dpo"), chosen, rejected, ids)
    assert (prefix.abs() < 1e-15).all() and (edited > 0).all() and tail.sum() > 0


def test_sft_moves_the_prefix():
    chosen, rejected, ids = Pairs(11, 8).sides()
    assert norms_of(build_loss("sft_continued"), chosen, rejected, ids)[1].sum() > 0


@given(seed=st.integers(0, 100_000))
@settings(max_examples=20, deadline=None)
def test_micro_batches_add_up(seed):
    chosen, rejected, ids = Pairs(seed, 4).sides()
    loss = build_loss("tab_po")

    def rows(side, keep):
        return Side(**{name: value[keep] for name, value in vars(side).items() if value is not None})

    whole = sums_of(loss, chosen, rejected, ids)
    parts = []
    for keep in ([0], [1, 2, 3]):
        both = torch.cat([ids[keep], ids[[4 + row for row in keep]]])
        parts.append(sums_of(loss, rows(chosen, keep), rows(rejected, keep), both))
    assert whole.dtype == torch.float64
    torch.testing.assert_close(sum(parts), whole, atol=1e-12, rtol=1e-12)


def one_pair(make=torch.tensor):
    """Chosen 5 7 0, rejected 5 8 9 0: a shared token, one and two edited tokens, then the end-of-turn token."""
    return (
        Side(
            policy_logps=make([[-0.05, -1.0, -0.2, math.nan]]),
            reference_logps=make([[-0.05, -1.5, -0.1, math.nan]]),
            completion_mask=make([[True, True, True, False]]),
            token_fields=torch.zeros(1, 4, dtype=torch.int8),
            differs=make([[False, True, False, False]]),
        ),
        Side(
            policy_logps=make([[-0.05, -2.0, -0.3, -0.4]]),
            reference_logps=make([[-0.05, -1.0, -0.3, -0.4]]),
            completion_mask=make([[True, True, True, True]]),
            token_fields=torch.zeros(1, 4, dtype=torch.int8),
            differs=make([[False, True, True, False]]),
        ),
        make([[5, 7, 0, 0], [5, 8, 9, 0]]),
    )


def test_hand_worked_step():
    # S(chosen) = .5 - .1 = .4; S(rejected) = -1; margin .1 * 1.4
    step = step_quantities(sums_of(build_loss("dpo", beta=0.1), *one_pair()))
    slope = 0.1 / (1 + math.exp(0.14))
    # DPO: chosen gradients -slope, rejected +slope; at the first difference G = 0, which leaves |g| + |h|
    edited = 2 * slope + 2 * slope * (1 - math.exp(-0.3))
    tail = 2 * slope * (1 - math.exp(-0.2)) + 2 * slope * (1 - math.exp(-0.4))
    expected = {
        "loss": math.log(1 + math.exp(-0.14)),
        "margin": 0.14,
        "accuracy": 1.0,
        "chosen_logp": -1.25,
        "rejected_logp": -2.75,
        "chosen_drift": 0.4,
        "rejected_drift": -1.0,
        "gate_rate": 2 / 3,  # under .9: -1 and -.2, not -.05
        "share_edited": edited / (edited + tail),
        "share_prefix": 0.0,
        "share_tail": tail / (edited + tail),
        "drift_edited": 0.5,
        "drift_shared": -0.05,
    }
    assert step == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("chosen_reward", "accuracy"), [(1.0, 1.0), (0.0, 0.5), (-1.0, 0.0)])
def test_a_margin_of_zero_counts_half(chosen_reward, accuracy):
    def loss(chosen, rejected):
        losses = build_loss("dpo")(chosen, rejected).losses
        return LossOutput(losses, losses.new_tensor([chosen_reward]), rejected_rewards=losses.new_tensor([0.0]))

    assert step_quantities(sums_of(loss, *one_pair()))["accuracy"] == accuracy


def test_the_gate_of_a_loss_is_logged():
    sums = sums_of(build_loss("tab_po", tau=0.5), *one_pair())
    assert step_quantities(sums)["gate_rate"] == pytest.approx(1 / 3)


def test_a_mean_of_nothing_is_none():
    # a pair without edited tokens on the chosen side
    chosen, rejected, ids = one_pair()
    sums = sums_of(build_loss("dpo"), replace(chosen, differs=torch.zeros_like(chosen.differs)), rejected, ids)
    assert step_quantities(sums)["drift_edited"] is None
    assert step_quantities(sums)["drift_shared"] == pytest.approx(0.4 / 3)


def test_the_training_graph_can_still_be_used():
    chosen, rejected, ids = one_pair()
    leaf = chosen.policy_logps.clone().requires_grad_()
    sides = (
        replace(chosen, policy_logps=leaf * 1),
        replace(rejected, policy_logps=rejected.policy_logps * leaf.new_ones(1, 4).requires_grad_()),
    )
    output = build_loss("tab_po")(*sides)
    sums = pair_sums(output, *sides, ids)
    assert not sums.requires_grad and leaf.grad is None and len(sums) == len(SUMS)
    output.losses.sum().backward()
    assert leaf.grad.nansum() != 0


def test_rows_of_anchors_are_left_out():
    chosen, rejected, ids = one_pair()
    expected = sums_of(build_loss("tab_po"), chosen, rejected, ids)
    assert torch.equal(sums_of(build_loss("tab_po"), chosen, rejected, torch.cat([ids, ids[:1]])), expected)
