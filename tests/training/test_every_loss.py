"""For every loss, a step does not depend on how its pairs are divided, and a NaN stops the run."""

import math
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tabpo.errors import ConfigError, DataError
from tabpo.losses import build_loss, loss_names

ROOT = Path(__file__).parents[2]
SETTINGS = {"steps": 2, "batch_size": 8, "learning_rate": 1e-4}  # there are four pairs, so each comes twice per step
LORA = {"r": 2, "alpha": 4, "target_modules": ["q_proj", "up_proj"]}
every_loss = pytest.mark.parametrize("loss", loss_names())


@pytest.fixture
def build(make_trainer, preference, make_model, pair_examples, start, tmp_path):
    """A trainer of a loss whose policy starts as the reference."""

    def make(loss, **settings):
        stage = preference(loss, start=start)
        return make_trainer(stage, make_model(), pair_examples, tmp_path, **{**SETTINGS, **settings})

    return make


def same_steps(ours, theirs):
    for step, expected in zip(ours, theirs, strict=True):
        assert step.loss == pytest.approx(expected.loss, rel=1e-4, abs=1e-6)
        assert step.grad_norm == pytest.approx(expected.grad_norm, rel=1e-3)
        assert step.margin == pytest.approx(expected.margin, rel=1e-3, abs=1e-5)
        assert step.chosen_logp == pytest.approx(expected.chosen_logp, rel=1e-5)
        assert step.share_edited == pytest.approx(expected.share_edited, rel=1e-3)


@every_loss
def test_the_micro_batch_size_does_not_change_a_step(build, loss):
    runs = [build(loss, micro_batch_size=size) for size in (8, 1)]
    for trainer in runs:
        trainer.run(None)
    same_steps(runs[0].steps, runs[1].steps)


@every_loss
def test_the_loss_of_a_pair_does_not_depend_on_its_batch(build, loss, pair_examples):
    trainer = build(loss, micro_batch_size=8)
    trainer.before_step(0)
    trainer.model.eval()

    def losses(pairs):
        return trainer.loss(*trainer.sides(trainer.model, trainer.collate(pairs))).losses

    lengths = {len(ids) for pair in pair_examples for ids in (pair.chosen_ids, pair.rejected_ids)}
    assert len(lengths) > 1
    together = losses(pair_examples)
    for number, pair in enumerate(pair_examples):
        torch.testing.assert_close(losses([pair])[0], together[number], atol=1e-5, rtol=1e-5)


@every_loss
def test_a_nan_in_the_policy_stops_and_names_the_pairs_of_the_batch(build, loss):
    trainer = build(loss, micro_batch_size=4)
    before_step = trainer.before_step

    def poison(step):
        before_step(step)
        if step == 1:
            trainer.model.model.norm.weight.data[3] = math.nan

    trainer.before_step = poison
    numbers = [str(trainer.train_dataset[index].number) for index in trainer.plan.micro_batches(0)[2]]
    with pytest.raises(DataError, match=rf"step 2: .* in the batch of records {', '.join(numbers)} of"):
        trainer.run(None)


class Mean:
    """A loss that averages over its pairs."""

    needs = frozenset()

    def __call__(self, chosen, rejected):
        output = build_loss("dpo")(chosen, rejected)
        return replace(output, losses=output.losses.mean())


def test_a_loss_that_breaks_its_contract_stops_at_the_first_micro_batch(build):
    trainer = build("dpo", micro_batch_size=4)
    trainer.loss = Mean()
    with pytest.raises(
        ConfigError, match=r"test_every_loss.py: losses is a tensor of shape \(\) .*; wanted: .* \(4,\)"
    ):
        trainer.run(None)
    assert not trainer.steps


def test_two_processes_give_the_steps_of_one(build, make_model, pair_examples, start, tmp_path):
    """All losses with different needs run in two processes, which are started once."""
    losses = ["dpo", *(name for name in loss_names() if build_loss(name).needs)]
    one_pair = {**SETTINGS, "batch_size": 1, "micro_batch_size": 1}  # the second process has no share of it
    runs = [*((loss, SETTINGS) for loss in losses), ("ti_dpo", {**SETTINGS, "lora": LORA}), ("tab_po", one_pair)]
    work = tmp_path / "work.pickle"
    work.write_bytes(pickle.dumps((runs, make_model(), pair_examples, start)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "tests.training.two_processes", str(work)]
    clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    subprocess.run(command, cwd=ROOT, env=clean | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}, check=True)
    shared = pickle.loads(work.with_suffix(".steps").read_bytes())
    for (loss, settings), steps in zip(runs, shared, strict=True):
        alone = build(loss, **{"micro_batch_size": 4, **settings})
        alone.run(None)
        same_steps(steps, alone.steps)
