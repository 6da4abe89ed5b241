"""A run whose answers collapse ends early with `stop_collapsed`, and reports the collapse in any case."""

import json
import os
import signal
from functools import partial

import pytest
import torch

from tabpo.training.checkpoints import newest_complete


class Collapsing:
    """A watch whose answers are collapsed after four and five steps, and valid again after six."""

    every, measure = 2, "f1"

    def __init__(self):
        self.health = []

    def evaluate_held_out(self, policy, step):
        self.health.append({"step": step, "f1": 1 / (step + 1), "collapsed": step in (4, 5)})

    def read_state(self, path):
        self.health = json.loads(path.read_text())

    def write_state(self, path):
        path.write_text(json.dumps(self.health))


@pytest.fixture
def build(make_trainer, preference, make_model, pair_examples, tmp_path):
    def trainer(folder="run", **settings):
        stage = partial(preference(), watch=Collapsing())
        return make_trainer(stage, make_model(), pair_examples, tmp_path / folder, **{"steps": 8, **settings})

    return trainer


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


@pytest.mark.parametrize(
    ("stop_collapsed", "evaluated"), [(True, [0, 2, 4, 5]), (False, [0, 2, 4, 6, 8])], ids=["stopped", "flagged"]
)
def test_the_step_after_the_evaluation_is_the_last(build, stop_collapsed, evaluated):
    trainer = build(stop_collapsed=stop_collapsed)
    trainer.run(None)
    assert [row["step"] for row in trainer.watch.health] == evaluated
    assert len(trainer.steps) == len(trainer.timings) == evaluated[-1]
    assert trainer.collapsed_after == 4
    assert trainer.curve.kept.step == evaluated[-1]


def test_the_best_step_before_the_collapse_can_be_kept(build):
    trainer = build(stop_collapsed=True, keep="dev_best")
    trainer.run(None)
    assert trainer.curve.kept.step == 2
    kept, last = trainer.kept_weights(), weights(trainer)
    assert any(not torch.equal(kept[name], last[name]) for name in kept)


def test_a_resumed_run_ends_at_the_same_step(build, tmp_path):
    unbroken = build("unbroken", stop_collapsed=True)
    unbroken.run(None)
    killed = build("broken", stop_collapsed=True, checkpoint_steps=4)
    evaluate_held_out = killed.watch.evaluate_held_out

    def killed_in_the_evaluation(policy, step):
        evaluate_held_out(policy, step)
        if step == 4:
            raise KeyboardInterrupt

    killed.watch.evaluate_held_out = killed_in_the_evaluation
    with pytest.raises(KeyboardInterrupt):
        killed.run(None)
    resumed = build("broken", stop_collapsed=True, checkpoint_steps=4)
    resumed.run(newest_complete(tmp_path / "broken", 1))
    assert (resumed.first_step, len(resumed.steps)) == (4, 5)
    assert resumed.watch.health == unbroken.watch.health
    ours, theirs = weights(resumed), weights(unbroken)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_warning_in_the_last_step_does_not_stop_the_run(build, tmp_path):
    trainer = build(stop_collapsed=True, checkpoint_steps=5)
    micro_batch = trainer.micro_batch

    def warn(model, batch):
        if trainer.state.global_step == 4:
            os.kill(os.getpid(), signal.SIGUSR1)
        return micro_batch(model, batch)

    trainer.micro_batch = warn
    trainer.run(None)  # no SystemExit: the run is done
    assert len(trainer.steps) == 5 and newest_complete(tmp_path / "run", 1) is None
