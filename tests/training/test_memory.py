"""The rehearsal of the longest micro-batch, and the message when a GPU runs out of memory."""

from functools import partial

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.study.training import training_settings
from tabpo.training import trainer
from tabpo.training.memory import can_rehearse, explaining_out_of_memory

LORA = {"r": 2, "alpha": 4, "dropout": 0.3, "target_modules": ["q_proj", "up_proj"]}


@pytest.mark.parametrize(
    ("loss", "settings"),
    [("dpo", {}), ("dpo", {"lora": LORA, "gradient_checkpointing": True}), ("ti_dpo", {"lora": LORA}), ("tbpo_q", {})],
    ids=["full", "lora, checkpointing", "anchors and the frozen policy", "head"],
)
def test_a_rehearsal_changes_no_bits(
    make_trainer, preference, make_model, pair_examples, start, tmp_path, monkeypatch, loss, settings
):
    """The rehearsal runs as on a GPU; with dropout, additional random numbers would change the result."""
    build = partial(make_trainer, preference(loss, start=start), examples=pair_examples, folder=tmp_path, **settings)
    plain = build(make_model())
    plain.run(None)
    monkeypatch.setattr(trainer, "can_rehearse", lambda device: True)
    rehearsed = build(make_model())
    seen, micro_batch = [], rehearsed.micro_batch

    def noted(model, batch):
        seen.append((rehearsed.state.global_step, tuple(batch["numbers"])))
        return micro_batch(model, batch)

    rehearsed.micro_batch = noted
    rehearsed.run(None)
    steps = [step for step, _ in seen]
    assert steps.count(1) == steps.count(0) + 1  # once, after the first step
    lengths = {pair.number: pair.length for pair in pair_examples}
    tried = seen[steps.index(1)][1]
    assert sum(lengths[number] for number in tried) == max(
        sum(lengths[number] for number in numbers)
        for step, numbers in seen
        if rehearsed.plan.pass_of(step) == rehearsed.plan.pass_of(1)
    )
    assert rehearsed.steps == plain.steps
    ours, theirs = rehearsed.model.state_dict(), plain.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_cpu_has_no_rehearsal():
    assert not can_rehearse(torch.device("cpu")) and can_rehearse(torch.device("cuda"))


@pytest.mark.parametrize(
    ("settings", "micro_batch_size", "expected"),
    [
        (
            {},
            4,
            "training.micro_batch_size below 4 (this changes no result); training.gradient_checkpointing true;"
            " training.lora; training.deepspeed zero3; a class of resources with more or larger GPUs",
        ),
        (
            {"gradient_checkpointing": True, "lora": {"r": 2, "alpha": 4}, "deepspeed": "zero3"},
            1,
            "a class of resources with more or larger GPUs",
        ),
    ],
)
def test_an_out_of_memory_error_names_settings_that_need_less(settings, micro_batch_size, expected):
    with (
        pytest.raises(ConfigError) as error,
        explaining_out_of_memory(training_settings(steps=1, **settings), micro_batch_size),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert str(error.value) == f"the memory of the GPU is too small for this job; these need less: {expected}"
