"""Losses held to TRL's own code, given log-probs in place of a model."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo.losses import build_loss

pytest.importorskip("trl", reason="the peer is no dependency of the project")


def of_dpo_trainer(loss_types, beta, smoothing, pair):
    """The batch loss of TRL's DPOTrainer, by weight of its types; the first column is the token before completions."""
    from trl import DPOTrainer

    def stacked(name):
        return torch.cat([getattr(side, name).where(side.completion_mask, 0.0) for side in pair])

    mask = torch.cat([side.completion_mask for side in pair]).long()
    mask = torch.cat([torch.zeros_like(mask[:, :1]), mask], 1)
    reference = stacked("reference_logps").sum(-1).chunk(2)
    logps = stacked("policy_logps")
    outputs = SimpleNamespace(
        log_probs=logps, entropy=logps, mean_logits=logps, is_top1=torch.ones_like(logps, dtype=torch.bool)
    )
    accelerator = SimpleNamespace(device=logps.device, gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=accelerator,
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=list(loss_types),
        loss_weights=list(loss_types.values()),
        beta=beta,
        label_smoothing=smoothing,
        use_weighting=False,
        _metrics={"eval": defaultdict(list)},
        _total_train_tokens=0,
    )
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": reference[0],
        "ref_rejected_logps": reference[1],
    }
    return DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, return_outputs=False)


@pytest.mark.parametrize(
    ("name", "loss_type"),
    [
        ("dpo", "sigmoid"),
        ("dpo_mean", "sigmoid_norm"),
        ("hinge", "hinge"),
        ("ipo_mean", "ipo"),
        ("robust_dpo", "robust"),
        ("apo_zero", "apo_zero"),
        ("apo_down", "apo_down"),
    ],
)
@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), smoothing=st.floats(0, 0.45))
@settings(max_examples=20)
def test_equals_the_dpo_trainer(make_random_pair, name, loss_type, seed, beta, smoothing):
    pair = make_random_pair(seed)
    params = {"beta": beta} | ({"epsilon": smoothing} if name == "robust_dpo" else {})
    expected = of_dpo_trainer({loss_type: 1.0}, beta, smoothing, pair)
    torch.testing.assert_close(build_loss(name, **params)(*pair).losses.mean(), expected)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), alpha=st.floats(0, 5))
@settings(max_examples=20)
def test_rpo_equals_the_dpo_trainer_with_two_losses(make_random_pair, seed, beta, alpha):
    # its likelihood is one of the batch, here of one pair
    pair = make_random_pair(seed, pairs=1)
    expected = of_dpo_trainer({"sigmoid": 1.0, "sft": alpha}, beta, 0.0, pair)
    torch.testing.assert_close(build_loss("rpo", beta=beta, alpha=alpha)(*pair).losses[0], expected)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), gamma=st.floats(0, 3))
@settings(max_examples=20)
def test_equals_the_cpo_trainer(make_random_pair, seed, beta, gamma):
    # its likelihood term is one of the batch, and stands outside this function
    trl_cpo = pytest.importorskip("trl.experimental.cpo", reason="TRL moves what is experimental")
    pair = make_random_pair(seed)
    sums = [side.policy_logps.where(side.completion_mask, 0.0).sum(-1) for side in pair]
    means = [total / side.completion_mask.sum(-1) for total, side in zip(sums, pair, strict=True)]
    trainer = SimpleNamespace(
        alpha=0.0,
        beta=beta,
        simpo_gamma=gamma,
        label_smoothing=0.0,
        loss_type="sigmoid",
        accelerator=SimpleNamespace(device=sums[0].device),
    )
    preference = trl_cpo.CPOTrainer.cpo_loss(trainer, *sums)[0]
    torch.testing.assert_close(build_loss("cpo", beta=beta)(*pair).losses, preference - sums[0])
    trainer.loss_type = "simpo"
    simpo = trl_cpo.CPOTrainer.cpo_loss(trainer, *means)[0]
    torch.testing.assert_close(build_loss("simpo", beta=beta, gamma=gamma)(*pair).losses, simpo)


@given(seed=st.integers(0, 10_000), lambda_=st.floats(0, 5))
@settings(max_examples=20)
def test_equals_the_orpo_trainer(make_random_pair, seed, lambda_):
    # in single precision there; the sign is that of a gain
    trl_orpo = pytest.importorskip("trl.experimental.orpo", reason="TRL moves what is experimental")
    pair = make_random_pair(seed)
    means = [side.policy_logps.where(side.completion_mask, 0.0).sum(-1) / side.completion_mask.sum(-1) for side in pair]
    trainer = SimpleNamespace(beta=lambda_, accelerator=SimpleNamespace(device=means[0].device))
    gain = trl_orpo.ORPOTrainer.odds_ratio_loss(trainer, *means)[0]
    losses = build_loss("orpo", lambda_=lambda_)(*pair).losses
    torch.testing.assert_close(losses, -means[0] - gain.double(), atol=1e-5, rtol=1e-5)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), weights=st.tuples(*[st.floats(0.1, 5)] * 2))
@settings(max_examples=20)
def test_equals_the_kto_trainer_with_the_other_completion_as_its_mismatched_one(make_random_pair, seed, beta, weights):
    # one completion a batch there; that of the pair's other side gives the reference point
    pair = make_random_pair(seed)
    losses = build_loss("kto_pair", beta=beta, lambda_d=weights[0], lambda_u=weights[1])(*pair).losses
    for row, loss in enumerate(losses):
        terms = [of_kto_trainer(beta, weights, pair[number], pair[1 - number], row, number == 0) for number in (0, 1)]
        torch.testing.assert_close(loss, sum(terms) / 2)


def of_kto_trainer(beta, weights, side, other, row, desirable):
    """TRL's KTO loss of one completion, its KL estimated on another; the first column is the token before it."""
    from trl import KTOTrainer

    def column(values):
        return torch.cat([torch.zeros(1), values.where(side.completion_mask[row], 0.0)])[None]

    def total(values):
        return values[row].where(other.completion_mask[row], 0.0).sum()[None]

    mask = column(torch.ones_like(side.policy_logps[row])).long()
    logps = column(side.policy_logps[row])[:, 1:]
    outputs = SimpleNamespace(log_probs=logps, entropy=logps, mean_logits=logps)
    accelerator = SimpleNamespace(device=logps.device, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=accelerator,
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        calculate_KL=True,
        loss_type="kto",
        beta=beta,
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
        _compute_kl_logps=lambda *_: total(other.policy_logps),
        _metrics={"eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "attention_mask": mask,
        "completion_mask": mask,
        "label": torch.tensor([desirable]),
        "ref_logps": column(side.reference_logps[row]).sum(-1),
        "ref_KL_logps": total(other.reference_logps),
    }
    return KTOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, return_outputs=False)
