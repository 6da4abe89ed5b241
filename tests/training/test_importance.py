"""Attributions equal gradients that are computed row by row, and finite differences of the target."""

import pytest
import torch

from tabpo.models.adapters import add_adapters
from tabpo.study.training import training_settings
from tabpo.training.importance import collate_attribution, token_importance

LORA = {"r": 2, "alpha": 4, "dropout": 0.3, "target_modules": ["q_proj", "up_proj"]}


def importances(model, pairs, fp32):
    return token_importance(model, collate_attribution(pairs, 0), fp32)


def target(model, embeddings):
    """The largest logit after the last token of (S, H) embeddings."""
    return model(inputs_embeds=embeddings.unsqueeze(0)).logits[0, -1].max()


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_importances_are_l1_norms_of_the_gradient_of_the_largest_last_logit(
    architecture, make_model, pair_examples, fp32
):
    model = make_model(architecture)
    by_row = importances(model, pair_examples, fp32)
    sides = [(pair.prompt_ids, pair.chosen_ids) for pair in pair_examples]
    sides += [(pair.prompt_ids, pair.rejected_ids) for pair in pair_examples]
    for row, (prompt, completion) in zip(by_row, sides, strict=True):  # each row alone, without padding
        embeddings = model.get_input_embeddings()(torch.tensor([*prompt, *completion])).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target(model, embeddings), embeddings)
        expected = gradient[len(prompt) :].abs().sum(-1)
        torch.testing.assert_close(row[: len(completion)], expected, atol=1e-5, rtol=1e-4)
        assert (expected > 0).all() and (row[len(completion) :] == 0).all()


def test_finite_differences_give_the_same_importance(make_model, pair_examples, fp32):
    # sum over h of |d target / d e_h|, each by a central difference; the step is wide because norms are in float32
    pair, model = pair_examples[0], make_model()
    by_token = importances(model, [pair], fp32)[0]
    ids = torch.tensor([*pair.prompt_ids, *pair.chosen_ids])
    embeddings, place, step = model.get_input_embeddings()(ids).detach(), len(pair.prompt_ids) + 3, 2e-3
    total = 0.0
    with torch.no_grad():
        for feature in range(embeddings.shape[1]):
            moved = [embeddings.clone() for _ in range(2)]
            moved[0][place, feature] += step
            moved[1][place, feature] -= step
            total += abs((target(model, moved[0]) - target(model, moved[1])).item()) / (2 * step)
    assert by_token[3].item() == pytest.approx(total, rel=1e-2)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_and_mode_are_left_alone(training, make_model, pair_examples, fp32):
    model = add_adapters(make_model(), training_settings(steps=1, lora=LORA).lora, 1).train(training)
    first = importances(model, pair_examples, fp32)
    assert torch.equal(importances(model, pair_examples, fp32), first)  # no dropout is applied
    assert model.training == training and all(parameter.grad is None for parameter in model.parameters())
    assert not first.requires_grad
    torch.testing.assert_close(first, importances(make_model(), pair_examples, fp32))  # new adapters change nothing


def test_the_importance_of_a_pair_does_not_depend_on_its_batch(make_model, pair_examples, fp32):
    repeated = [pair_examples[number % 4] for number in range(9)]  # more than one batch, with repeated completions
    batches = collate_attribution(repeated, 0)
    assert [len(batch["completion_rows"]) for batch in batches] == [16, 2]
    assert [len(batch["completion_ids"]) for batch in batches] == [
        7,
        2,
    ]  # distinct completions of four pairs, two of which have the same chosen completion
    model = make_model()
    together, expected = token_importance(model, batches, fp32), importances(model, pair_examples, fp32)
    for side in range(2):
        for number in range(9):
            torch.testing.assert_close(
                together[9 * side + number], expected[4 * side + number % 4], atol=1e-5, rtol=1e-4
            )
