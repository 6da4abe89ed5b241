"""The curve of a run on held-out prompts, and the step whose weights become the model."""

import errno
import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from tabpo.scoring.tokenise import encode_examples
from tabpo.training import selection
from tabpo.training.checkpoints import newest_complete
from tabpo.training.selection import BEST, Curve, Point, trained_weights
from tabpo.training.sft import SftTrainer

LORA = {"r": 2, "alpha": 4, "target_modules": ["q_proj", "up_proj"]}


def curve(measure, keep, values, folder=None):
    points = Curve(measure, keep, folder)
    return points, [points.add(Point(step, step / 2, value)) for step, value in enumerate(values, start=1)]


def test_of_several_best_points_the_first_is_used(tmp_path):
    f1, aside = curve("f1", "dev_best", [0.2, 0.5, 0.5, 0.1], tmp_path)
    assert (f1.best.step, f1.kept.step, aside) == (2, 2, [True, True, False, False])
    nll, aside = curve("nll", "last", [0.9, 0.4, 0.4, 0.7], tmp_path)
    assert (nll.best.step, nll.kept.step, aside) == (2, 4, [False] * 4)
    assert nll.content == {
        "keep": "last",
        "measure": "nll",
        "curve": [{"step": n, "epoch": n / 2, "value": value} for n, value in enumerate([0.9, 0.4, 0.4, 0.7], 1)],
        "last": {"step": 4, "epoch": 2.0, "value": 0.7},
        "dev_best": {"step": 2, "epoch": 1.0, "value": 0.4},
    }
    assert str(nll) == "kept: last; last step: 4, best nll on dev_select: step 2"


@pytest.fixture(scope="module")
def examples(tokenizer, prompts, limits):
    return encode_examples(tokenizer, prompts, limits)


@pytest.fixture(scope="module")
def strangers(examples, tokenizer):
    """Held-out answers of a token that is never trained on: the longer training lasts, the less likely they become."""
    never = set(range(4, 330)) - {token for example in examples for token in example.completion_ids}
    return [replace(example, completion_ids=(min(never),) * 3, completion_fields=(0,) * 3) for example in examples]


def sft(make_trainer, make_model, examples, held_out, folder, **settings):
    settings = {"steps": 4, "batch_size": 3, "micro_batch_size": 3, "learning_rate": 0.1, **settings}
    return make_trainer(partial(SftTrainer, held_out=held_out), make_model(), examples, folder, **settings)


def test_nats_per_token_are_measured_after_each_pass(make_trainer, make_model, examples, strangers, tmp_path):
    trainer = sft(
        make_trainer,
        make_model,
        examples,
        strangers[:2] + examples[:2],
        tmp_path,
        batch_size=1,
        micro_batch_size=1,
        steps=7,
    )
    trainer.run(None)
    assert [(point.step, point.epoch) for point in trainer.curve.points] == [
        (3, 1.0),
        (6, 2.0),
        (7, pytest.approx(7 / 3)),
    ]
    nats, tokens = 0.0, 0
    for example in trainer.held_out:
        ids = torch.tensor([[*example.prompt_ids, *example.completion_ids]])
        logps = trainer.model.eval()(ids).logits.log_softmax(-1)[0]
        for place, token in enumerate(example.completion_ids, start=len(example.prompt_ids)):
            nats -= logps[place - 1, token].item()
            tokens += 1
    assert trainer.curve.points[-1].value == pytest.approx(nats / tokens, rel=1e-5)


@pytest.mark.parametrize("settings", [{}, {"lora": LORA}], ids=["full", "lora"])
def test_the_kept_weights_are_those_of_the_step(make_trainer, make_model, examples, strangers, tmp_path, settings):
    build = partial(sft, make_trainer, make_model, examples, strangers, **settings)
    last = build(folder=tmp_path / "last")
    seen, evaluate_held_out = {}, last.evaluate_held_out

    def noted(step):
        evaluate_held_out(step)
        seen[step] = {name: value.clone() for name, value in trained_weights(last).items()}

    last.evaluate_held_out = noted
    last.run(None)
    assert last.curve.best.step == 1 and not (tmp_path / "last" / BEST).exists()
    best = build(folder=tmp_path / "best", keep="dev_best")
    best.run(None)
    assert best.steps == last.steps and best.curve.points == last.curve.points
    for trainer, step in ((last, 4), (best, 1)):
        kept = trainer.kept_weights()
        assert all(torch.equal(kept[name], seen[step][name]) for name in seen[step])
    assert any(not torch.equal(seen[1][name], value) for name, value in seen[4].items())
    assert all("lora" in name for name in torch.load(tmp_path / "best" / BEST)) == ("lora" in settings)


def test_only_adapters_of_a_divided_model_are_gathered(make_trainer, make_model, examples, tmp_path, monkeypatch):
    trainer = sft(make_trainer, make_model, examples, [], tmp_path, lora=LORA)
    whole, gathered = trained_weights(trainer), []
    zero = SimpleNamespace(GatheredParameters=lambda parameter: nullcontext(gathered.append(parameter)))
    monkeypatch.setitem(sys.modules, "deepspeed", SimpleNamespace(zero=zero))
    monkeypatch.setattr(selection, "is_deepspeed_zero3_enabled", lambda: True)
    calls = {name: Mock() for name in ("checkpoint_event_prologue", "checkpoint_event_epilogue")}
    trainer.model_wrapped = SimpleNamespace(optimizer=SimpleNamespace(**calls))
    divided = trained_weights(trainer)
    assert divided.keys() == whole.keys() and all(torch.equal(divided[name], whole[name]) for name in whole)
    assert all(call.call_count == 1 for call in calls.values())
    assert len(gathered) == len(whole) and all(parameter.requires_grad for parameter in gathered)


def test_a_checkpoint_of_deepspeed_has_no_second_copy_of_the_weights(make_trainer, make_model, examples, tmp_path):
    trainer = sft(make_trainer, make_model, examples, [], tmp_path)
    trainer.save_model(str(tmp_path / "alone"))
    assert (tmp_path / "alone/model.safetensors").exists()
    trainer.is_deepspeed_enabled = True
    trainer.save_model(str(tmp_path / "deepspeed"))
    assert not (tmp_path / "deepspeed").exists()


@pytest.mark.parametrize("killed_in", [1, 3])
def test_a_resumed_run_keeps_the_same_step(make_trainer, make_model, examples, strangers, tmp_path, killed_in):
    """Killed in step 2, the run starts again without a checkpoint; in step 4 the checkpoint has the best weights."""
    build = partial(sft, make_trainer, make_model, examples, strangers, keep="dev_best", checkpoint_steps=3)
    unbroken = build(folder=tmp_path / "unbroken")
    unbroken.run(None)
    broken = build(folder=tmp_path / "broken")
    micro_batch = broken.micro_batch

    def killed(model, batch):
        if broken.state.global_step == killed_in:
            raise KeyboardInterrupt
        return micro_batch(model, batch)

    broken.micro_batch = killed
    with pytest.raises(KeyboardInterrupt):
        broken.run(None)
    (tmp_path / "broken" / BEST).unlink()
    (tmp_path / "broken" / BEST).write_bytes(b"saved after the checkpoint")
    resumed = build(folder=tmp_path / "broken")
    resumed.run(newest_complete(tmp_path / "broken", 1))
    assert resumed.first_step == (3 if killed_in == 3 else 0)
    assert resumed.curve.content == unbroken.curve.content and resumed.curve.kept.step == 1
    ours, theirs = resumed.kept_weights(), unbroken.kept_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_files_that_cannot_be_linked_are_copied(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    points, _ = curve("f1", "dev_best", [0.2], tmp_path)
    points.put_aside({"weight": torch.ones(2)})
    (tmp_path / "checkpoint-1").mkdir()
    points.write_state(tmp_path / "checkpoint-1")
    points.put_aside({"weight": torch.zeros(2)})
    resumed = Curve("f1", "dev_best", tmp_path)
    resumed.read_state(tmp_path / "checkpoint-1")
    assert resumed.points == points.points and resumed.weights()["weight"].tolist() == [1, 1]


def test_a_loss_is_measured_by_the_f1_of_the_watch(make_trainer, preference, make_model, pair_examples, tmp_path):
    watch = SimpleNamespace(every=2, measure="f1", health=[])
    watch.evaluate_held_out = lambda policy, step: watch.health.append({"f1": {0: 0.9, 2: 0.4, 4: 0.6, 5: 0.5}[step]})
    stage = partial(preference(), watch=watch)
    watch.write_state = lambda path: None
    trainer = make_trainer(stage, make_model(), pair_examples, tmp_path, steps=5, keep="dev_best")
    trainer.run(None)
    assert [(point.step, point.value) for point in trainer.curve.points] == [
        (2, 0.4),
        (4, 0.6),
        (5, 0.5),
    ]  # step 0 is no point
    kept, final = trainer.kept_weights(), trained_weights(trainer)
    assert trainer.curve.kept.step == 4 and any(not torch.equal(kept[name], final[name]) for name in kept)
