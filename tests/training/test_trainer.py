"""Both trainers on models of a few thousand parameters: denominators, logs, refusals and resumed runs."""

import json
import math
import os
import signal
from functools import partial

import pytest
import torch
from peft import get_peft_model_state_dict

from tabpo.errors import ConfigError, DataError
from tabpo.models import adapters
from tabpo.models.adapters import add_adapters, merged
from tabpo.models.loading import load_model, save_model
from tabpo.scoring.collate import collate_examples
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import encode_examples
from tabpo.study.training import training_settings
from tabpo.training.arguments import learning_rate_share
from tabpo.training.checkpoints import newest_complete
from tabpo.training.preference import check_step0
from tabpo.training.sft import SftTrainer

LORA = {"r": 2, "alpha": 4, "dropout": 0.3, "target_modules": ["q_proj", "up_proj"]}
NUMERICS = {"precision": "fp32", "attention": "eager", "threads": 1}


@pytest.fixture(scope="module")
def examples(tokenizer, prompts, limits):
    return encode_examples(tokenizer, prompts, limits)


def read(micro_batch):
    """Number of tokens that a model reads: repeated examples are read once, end-of-turn tokens are not read."""
    return sum(example.length - 1 for example in set(micro_batch))


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def test_sft_loss_is_the_mean_over_the_steps_completion_tokens(make_trainer, make_model, examples, tmp_path):
    trainer = make_trainer(SftTrainer, make_model(), examples, tmp_path, steps=1)
    batch = [examples[index] for index in trainer.plan.of_step(0)]
    nats, tokens = 0.0, 0
    for example in batch:  # by the definition, one row at a time, without padding and without replacing the head
        ids = torch.tensor([[*example.prompt_ids, *example.completion_ids]])
        logps = make_model()(ids).logits.log_softmax(-1)[0]
        for place, token in enumerate(example.completion_ids, start=len(example.prompt_ids)):
            nats -= logps[place - 1, token].item()
            tokens += 1
    trainer.run(None)
    assert trainer.steps[0].loss == pytest.approx(nats / tokens, rel=1e-5)
    assert trainer.timings[0].tokens == sum(read(batch[start : start + 2]) for start in (0, 2))
    assert trainer.steps[0].margin is None


def test_accumulation_changes_nothing(make_trainer, make_model, examples, tmp_path):
    runs = []
    for micro in (4, 1):
        trainer = make_trainer(SftTrainer, make_model(), examples, tmp_path, micro_batch_size=micro)
        trainer.run(None)
        runs.append(trainer)
    for whole, parts in zip(runs[0].steps, runs[1].steps, strict=True):
        assert parts.loss == pytest.approx(whole.loss, rel=1e-4)
        assert parts.grad_norm == pytest.approx(whole.grad_norm, rel=1e-3)
    batch = [examples[index] for index in runs[0].plan.of_step(0)]
    assert [run.timings[0].tokens for run in runs] == [read(batch), sum(read([example]) for example in batch)]


def test_dpo_starts_at_ln_2_and_separates_the_pairs(make_trainer, preference, make_model, pair_examples, tmp_path):
    trainer = make_trainer(preference(), make_model(), pair_examples, tmp_path, steps=8)
    trainer.run(None)
    first, last = trainer.steps[0], trainer.steps[-1]
    assert first.loss == pytest.approx(math.log(2), abs=1e-6)
    assert (first.step, first.epoch, last.step, last.epoch) == (1, 1.0, 8, 8.0)
    assert first.margin == 0 and first.accuracy == 0.5  # the policy is still the reference: all pairs are ties
    assert last.loss < first.loss and last.margin > 0 and last.accuracy == 1.0
    assert first.share_edited + first.share_prefix + first.share_tail == pytest.approx(1.0)


def test_equal_seeds_give_equal_bits_and_another_seed_another_order(
    make_trainer, preference, make_model, pair_examples, tmp_path
):
    states = []
    for seed in (1, 1, 2):
        trainer = make_trainer(preference(), make_model(), pair_examples, tmp_path, seed=seed, batch_size=2)
        trainer.run(None)
        states.append(weights(trainer))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_policy_that_differs_from_its_reference_is_refused(
    make_trainer, preference, make_model, pair_examples, tmp_path
):
    trainer = make_trainer(preference(), make_model(seed=1), pair_examples, tmp_path)
    with pytest.raises(DataError, match=r"step 0: policy and reference are .* compute the reference file again"):
        trainer.run(None)
    assert trainer.steps == []


@pytest.mark.parametrize(("mean", "largest"), [(math.nan, 0.0), (0.0, math.inf), (3e-2, 3e-2)])
def test_step0_refuses_large_and_nan_differences(mean, largest):
    check_step0(1e-2, 0.5, "bf16")
    with pytest.raises(DataError):
        check_step0(mean, largest, "bf16")


def test_a_nan_names_the_step_and_the_pairs(make_trainer, preference, make_model, pair_examples, tmp_path):
    trainer = make_trainer(preference(), make_model(), pair_examples, tmp_path)
    micro_batch = trainer.micro_batch

    def broken(model, batch):
        loss, sums = micro_batch(model, batch)
        return (loss * math.nan if trainer.state.global_step == 2 else loss), sums

    trainer.micro_batch = broken
    batch = [str(pair_examples[index].number) for index in trainer.plan.micro_batches(0)[4]]
    with pytest.raises(DataError, match=rf"step 3: the loss is nan, in the batch of records {', '.join(batch)} of"):
        trainer.run(None)


def test_an_infinite_gradient_stops_the_run(make_trainer, make_model, examples, tmp_path):
    model = make_model()
    model.model.norm.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(DataError, match="step 1: the norm of the gradient is"):
        make_trainer(SftTrainer, model, examples, tmp_path).run(None)


def test_a_frozen_model_is_refused(make_trainer, make_model, examples, tmp_path):
    with pytest.raises(ConfigError, match="no parameter of the model is trained"):
        make_trainer(SftTrainer, make_model().requires_grad_(False), examples, tmp_path).run(None)


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("dpo", {}),
        ("dpo", {"lora": LORA}),
        ("dpo", {"optimizer": "rmsprop", "weight_decay": 0.0, "schedule": "cosine"}),
        ("dpo", {"gradient_checkpointing": True}),
        ("tbpo_q", {}),
        ("tbpo_q", {"lora": LORA}),  # the Trainer saves only the adapters
        ("ti_dpo", {"batch_size": 1, "micro_batch_size": 1}),  # step 5, the first resumed step, begins the second pass
        # step 7 is inside the second pass; at this rate other weights would sample other anchors
        ("ti_dpo", {"batch_size": 1, "micro_batch_size": 1, "steps": 8, "learning_rate": 0.1, "lora": LORA}),
    ],
    ids=["full", "lora", "rmsprop", "gradient checkpointing", "head", "head, lora", "anchors", "anchors, lora"],
)
def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(
    make_trainer, preference, loss, settings, make_model, pair_examples, start, tmp_path
):
    settings = {"steps": 6, "checkpoint_steps": 2, **settings}
    build = partial(make_trainer, preference(loss, start=start), examples=pair_examples, **settings)
    unbroken = build(make_model(), folder=tmp_path / "unbroken")
    unbroken.run(None)

    broken = build(make_model(), folder=tmp_path / "broken")
    micro_batch, last = broken.micro_batch, settings["steps"] - 2

    def killed(model, batch):
        if broken.state.global_step == last:
            raise KeyboardInterrupt
        return micro_batch(model, batch)

    broken.micro_batch = killed
    with pytest.raises(KeyboardInterrupt):
        broken.run(None)
    checkpoint = newest_complete(tmp_path / "broken", 1)
    assert checkpoint.name == f"checkpoint-{last}"

    resumed = build(make_model(), folder=tmp_path / "broken")
    resumed.run(checkpoint)
    assert resumed.steps == unbroken.steps
    assert [timing.step for timing in resumed.timings] == list(range(1, settings["steps"] + 1))
    if loss == "ti_dpo":
        assert resumed.anchors.completions == unbroken.anchors.completions
    ours, theirs = weights(resumed), weights(unbroken)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    untrained = weights(build(make_model(), folder=tmp_path))
    assert any(not torch.equal(value, untrained[name]) for name, value in ours.items())


class Evaluations:
    """A watch that records the steps at which it evaluates."""

    every, measure = 2, "f1"

    def __init__(self):
        self.steps = []
        self.health = [{"f1": 0.0}]

    def evaluate_held_out(self, policy, step):
        self.steps.append(step)

    def read_state(self, path):
        self.steps = json.loads(path.read_text())

    def write_state(self, path):
        path.write_text(json.dumps(self.steps))


@pytest.mark.parametrize("checkpoint_steps", [2, 100])
def test_a_warned_run_writes_its_checkpoint_before_the_next_evaluation(
    checkpoint_steps, make_trainer, preference, make_model, pair_examples, tmp_path
):
    def build():
        stage = partial(preference(), watch=Evaluations())
        settings = {"steps": 5, "checkpoint_steps": checkpoint_steps}
        return make_trainer(stage, make_model(), pair_examples, tmp_path, **settings)

    warned = build()
    micro_batch = warned.micro_batch

    def warn(model, batch):
        if warned.state.global_step == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        return micro_batch(model, batch)

    warned.micro_batch = warn
    with pytest.raises(SystemExit):
        warned.run(None)
    assert (len(warned.steps), warned.watch.steps) == (2, [0])
    resumed = build()
    resumed.run(newest_complete(tmp_path, 1))
    assert (resumed.first_step, resumed.watch.steps) == (2, [0, 2, 4, 5])


def test_merged_adapters_score_as_the_adapted_model(make_trainer, make_model, tokenizer, examples, tmp_path):
    folder = tmp_path / "start"
    folder.mkdir()
    save_model(make_model(), tokenizer, folder)
    lora = {"r": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]}
    trainer = make_trainer(SftTrainer, load_model(folder, NUMERICS), examples, tmp_path, learning_rate=1e-2, lora=lora)
    trainer.run(None)
    batch = collate_examples(examples, 0)
    with torch.no_grad():
        adapted = completion_logps(trainer.model.eval(), batch, NUMERICS)
        rows = [example.prompt_ids + example.completion_ids for example in examples]
        adapters = get_peft_model_state_dict(trainer.model)
        whole, apart = merged(load_model(folder, NUMERICS), adapters, trainer.settings.lora, rows)
        start = completion_logps(load_model(folder, NUMERICS), batch, NUMERICS)
        difference = (completion_logps(whole.eval(), batch, NUMERICS) - adapted).abs().max().item()
    assert max(difference, apart) < 1e-4 < (adapted - start).abs().max().item()
    assert {name for name, _ in whole.named_parameters()} == {name for name, _ in make_model().named_parameters()}


def test_a_merge_that_makes_another_model_stops(make_model, tokenizer, examples, tmp_path, monkeypatch):
    save_model(make_model(), tokenizer, tmp_path)
    monkeypatch.setattr(adapters, "check_tied", lambda *_: None)  # disables the check for tied heads
    lora = training_settings(steps=1, lora={"r": 2, "alpha": 4, "target_modules": ["lm_head"]}).lora
    trained = add_adapters(load_model(tmp_path, NUMERICS), lora, 1)
    for name, weight in trained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    rows = [example.prompt_ids + example.completion_ids for example in examples]
    with pytest.raises(DataError, match=r"changed log-probs by up to [\d.]+ nats; at most 0.01 is accepted"):
        merged(load_model(tmp_path, NUMERICS), get_peft_model_state_dict(trained), lora, rows)


def test_adapters_on_a_tied_head_are_refused(make_model):
    lora = training_settings(steps=1, lora={"r": 2, "alpha": 4, "target_modules": ["q_proj", "lm_head"]}).lora
    with pytest.raises(
        ConfigError,
        match="lm_head shares its weights with the embedding",
    ):
        add_adapters(make_model("qwen2"), lora, 1)  # tied
    add_adapters(make_model("llama"), lora, 1)  # the head is not tied


def test_lora_trains_only_adapters_and_refuses_unknown_layers(make_model):
    model = add_adapters(make_model(), training_settings(steps=1, lora={"r": 2, "alpha": 4}).lora, 1)
    assert {"lora" in name for name, weight in model.named_parameters() if weight.requires_grad} == {True}
    unknown = training_settings(steps=1, lora={"r": 2, "alpha": 4, "target_modules": ["q_proj", "c_attn"]}).lora
    with pytest.raises(ConfigError, match=r"no layer c_attn; there are: \['down_proj', 'gate_proj'"):
        add_adapters(make_model(), unknown, 1)


def test_weight_decay_spares_biases_and_norms(make_trainer, make_model, examples, tmp_path):
    trainer = make_trainer(SftTrainer, make_model(), examples, tmp_path)
    decayed, spared = trainer.create_optimizer().param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert all(parameter.ndim == 2 for parameter in decayed["params"])
    assert all(parameter.ndim == 1 for parameter in spared["params"])


def shares(steps, **settings):
    return [learning_rate_share(training_settings(steps=steps, **settings), steps, step) for step in range(steps)]


def test_learning_rate_by_hand():
    # warm-up of 2: 1/3, 2/3, then the peak, then a quarter less per step: 1, 3/4, 2/4, 1/4 of peak minus minimum
    assert shares(6, warmup_steps=2) == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25])
    assert shares(6, warmup_ratio=1 / 3, min_learning_rate_ratio=0.2) == pytest.approx([1 / 3, 2 / 3, 1, 0.8, 0.6, 0.4])
    assert shares(4, schedule="cosine") == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2])
    assert shares(3, schedule="constant", warmup_steps=1) == [0.5, 1, 1]
    assert shares(2, warmup_steps=5) == pytest.approx([1 / 6, 2 / 6])
