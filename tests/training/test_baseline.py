"""The baseline head: its values, its learning rate, and that it does not change the policy."""

import pytest
import torch

from tabpo.training.baseline import HEAD, BaselineHead, add_baseline, without_baseline


def head_of(trainer):
    return {name: value.clone() for name, value in getattr(trainer.model, HEAD).state_dict().items()}


def test_the_head_maps_each_state_to_a_number(make_model):
    model = make_model()
    add_baseline(model, seed=1)
    states = torch.randn(2, 3, 32)
    values = getattr(model, HEAD)(states)
    first, second = getattr(model, HEAD).layers[0], getattr(model, HEAD).layers[2]
    hidden = torch.nn.functional.gelu(states @ first.weight.T + first.bias)
    assert values.shape == (2, 3) and hidden.shape == (2, 3, 1024)
    torch.testing.assert_close(values, (hidden @ second.weight.T + second.bias).squeeze(-1))


def test_the_head_stays_in_float32_under_autocast():
    head, states = BaselineHead(8), torch.randn(2, 3, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = head(states)
    assert values.dtype == torch.float32
    assert torch.equal(values, head(states.float()))


def test_the_seed_decides_the_initial_head_and_changes_no_other_random_number(make_model):
    models, state = [make_model() for _ in range(3)], torch.get_rng_state()
    for model, seed in zip(models, (1, 1, 2), strict=True):
        add_baseline(model, seed)
    assert torch.equal(torch.get_rng_state(), state)
    first, same, other = (getattr(model, HEAD).layers[0].weight for model in models)
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_the_head_has_a_separate_constant_rate_without_decay(
    make_trainer, preference, make_model, pair_examples, tmp_path
):
    settings = {"learning_rate": 1e-4, "schedule": "cosine", "warmup_steps": 2, "baseline_learning_rate": 0.02}
    trainer = make_trainer(preference("tbpo_q"), make_model(), pair_examples, tmp_path, **settings)
    before, rates = head_of(trainer), []
    micro_batch = trainer.micro_batch

    def noted(model, batch):
        rates.append([group["lr"] for group in trainer.optimizer.param_groups])
        return micro_batch(model, batch)

    trainer.micro_batch = noted
    trainer.run(None)
    *_, head = trainer.optimizer.param_groups
    assert head["weight_decay"] == 0.0 and len(head["params"]) == 4
    assert {rate[-1] for rate in rates} == {0.02}
    assert [step.learning_rate for step in trainer.steps] != [trainer.steps[0].learning_rate] * 4
    assert all(
        not torch.equal(value, before[name]) for name, value in head_of(trainer).items() if name != "layers.2.bias"
    )


def test_the_policys_first_step_is_the_same_whatever_the_head(
    make_trainer, preference, make_model, pair_examples, tmp_path
):
    weights = []
    for rate in (1e-9, 1.0):
        settings = {"baseline_learning_rate": rate, "steps": 1, "max_grad_norm": 1e9}
        trainer = make_trainer(preference("tbpo_q"), make_model(), pair_examples, tmp_path, **settings)
        trainer.run(None)
        weights.append(without_baseline(trainer.model.state_dict()))
    assert weights[0].keys() == make_model().state_dict().keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("loss", ["dpo", "otpo"])
def test_other_losses_have_no_head(make_trainer, preference, make_model, pair_examples, tmp_path, loss):
    assert not hasattr(make_trainer(preference(loss), make_model(), pair_examples, tmp_path).model, HEAD)
