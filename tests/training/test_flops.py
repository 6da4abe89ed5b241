"""Counted floating-point operations: layers worked by hand, and a training run that counting does not change."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from tabpo.compute.calculated import pair_flops, read_dimensions
from tabpo.losses import build_loss
from tabpo.training import trainer as loop
from tabpo.training.flops import FlopCount, can_count


def test_a_layer_by_hand():
    layer = nn.Linear(3, 5, bias=False)
    states = torch.randn(4, 3, requires_grad=True)
    with FlopCount() as count:
        out = layer(states)
    assert count.total == 2 * 4 * 3 * 5
    with FlopCount() as count:
        out.sum().backward()
    assert count.total == 2 * (2 * 4 * 3 * 5)  # the gradients of the weight and of the states


def test_attention_on_a_cpu_by_hand():
    query, key, value = (torch.randn(1, 2, 6, 8, requires_grad=True) for _ in range(3))
    with FlopCount() as count:
        out = scaled_dot_product_attention(query, key, value, is_causal=True)
    product = 2 * 2 * 6 * 6 * 8  # two heads; queries times keys, and shares times values
    assert count.total == 2 * product
    with FlopCount() as count:
        out.sum().backward()
    assert count.total == 5 * product  # the scores once more, and a gradient of each factor of both products


def test_compiled_attention_is_not_counted(fp32):
    assert can_count(fp32) and not can_count(fp32 | {"attention": "flex_attention"})


@pytest.mark.parametrize("loss", ["tab_po", "tdpo2"])
def test_counting_changes_nothing(
    loss, make_trainer, make_model, preference, pair_examples, start, tmp_path, monkeypatch
):
    trainers = {}
    for counted in (True, False):
        monkeypatch.setattr(loop, "can_count", lambda _numerics, counted=counted: counted)
        stage = preference(loss, start=start)
        trainers[counted] = make_trainer(stage, make_model(), pair_examples, tmp_path / str(counted), steps=2)
        trainers[counted].run(None)
    assert trainers[True].steps == trainers[False].steps
    after, before = (trainers[counted].model.state_dict() for counted in (True, False))
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert trainers[False].flops_per_token is None
    layers = sum(weight.numel() for name, weight in after.items() if "proj" in name and weight.dim() == 2)
    passes = {"tab_po": 6, "tdpo2": 8}[loss]  # 2 forward, 4 backward, and 2 of the reference for its KL
    # beside the layers there are the output head and attention, each of which costs about as much in this model
    assert passes * layers < trainers[True].flops_per_token < 4 * passes * layers


# Padding is not seen; the attribution of ti_dpo pads all completions to the longest, and its anchors are sampled.
@pytest.mark.parametrize(("loss", "apart"), [("dpo", 0.1), ("tdpo2", 0.1), ("ti_dpo", 0.25)])
def test_the_calculation_before_training_is_near_what_training_counts(
    loss, apart, make_trainer, make_model, preference, pair_examples, start, tmp_path
):
    stage = preference(loss, start=start)
    trainer = make_trainer(stage, make_model(), pair_examples, tmp_path, steps=1, micro_batch_size=4)
    trainer.run(None)
    counted = trainer.flops_per_token * trainer.timings[0].tokens / 4
    needs = build_loss(loss).needs
    full = {"lora": None, "gradient_checkpointing": False, "micro_batch_size": 4}
    calculated = pair_flops(read_dimensions(start), needs, full, pair_examples)
    assert calculated == pytest.approx(counted, rel=apart)
