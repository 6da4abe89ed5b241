"""What training promises for every loss: a step does not depend on how its pairs are spread, and a NaN stops it."""

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
SETTINGS = {"steps": 2, "batch_size": 8, "learning_rate": 1e-4}  # four pairs: each of them twice a step
LORA = {"r": 2, "alpha": 4, "target_modules": ["q_proj", "up_proj"]}
every_loss = pytest.mark.parametrize("loss", loss_names())


@pytest.fixture
def build(make_trainer, preference, make_model, pair_examples, start, tmp_path):
    """A trainer of a loss that starts as its reference."""

    def make(loss, **settings):
        stage = preference(loss, start=start)
        return make_trainer(stage, make_model(), pair_examples, tmp_path, **{**SETTINGS, **settings})

    return make


def same_steps(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4, abs=1e-6)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-3)
        assert one.margin == pytest.approx(other.margin, rel=1e-3, abs=1e-5)
        assert one.chosen_logp == pytest.approx(other.chosen_logp, rel=1e-5)
        assert one.share_edited == pytest.approx(other.share_edited, rel=1e-3)


@every_loss
def test_eight_by_one_is_one_by_eight(build, loss):
    runs = [build(loss, micro_batch_size=size) for size in (8, 1)]
    for one in runs:
        one.run(None)
    same_steps(runs[0].steps, runs[1].steps)


@every_loss
def test_a_pair_alone_is_the_pair_in_a_padded_batch(build, loss, pair_examples):
    one = build(loss, micro_batch_size=8)
    one.before_step(0)
    one.model.eval()

    def losses(pairs):
        return one.loss(*one.sides(one.model, one.collate(pairs))).losses

    lengths = {len(ids) for pair in pair_examples for ids in (pair.chosen_ids, pair.rejected_ids)}
    assert len(lengths) > 1
    together = losses(pair_examples)
    for number, pair in enumerate(pair_examples):
        torch.testing.assert_close(losses([pair])[0], together[number], atol=1e-5, rtol=1e-5)


@every_loss
def test_a_policy_that_is_no_number_stops_with_the_pairs_of_the_batch(build, loss):
    one = build(loss, micro_batch_size=4)
    before_step = one.before_step

    def poison(step):
        before_step(step)
        if step == 1:
            one.model.model.norm.weight.data[3] = math.nan

    one.before_step = poison
    numbers = [str(one.train_dataset[index].number) for index in one.plan.micro_batches(0)[2]]
    with pytest.raises(DataError, match=rf"step 2: .* in the batch of records {', '.join(numbers)} of"):
        one.run(None)


class Mean:
    """A loss that averages over its pairs."""

    needs = frozenset()

    def __call__(self, chosen, rejected):
        output = build_loss("dpo")(chosen, rejected)
        return replace(output, losses=output.losses.mean())


def test_a_loss_that_breaks_its_contract_stops_at_the_first_micro_batch(build):
    one = build("dpo", micro_batch_size=4)
    one.loss = Mean()
    with pytest.raises(
        ConfigError, match=r"test_every_loss.py: losses is a tensor of shape \(\) .*; wanted: .* \(4,\)"
    ):
        one.run(None)
    assert not one.steps


def test_two_processes_are_one(build, make_model, pair_examples, start, tmp_path):
    """Losses that differ in what they need, in two processes that are started once."""
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
