"""Losses, gradients and answers equal those of TRL's trainer on the same rows."""

import pytest
import torch
from torch.utils.data import SequentialSampler

from tabpo.inference.generate import generate
from tabpo.losses import build_loss
from tabpo.scoring.collate import collate_pairs
from tabpo.scoring.forward import completion_logps, score_pairs
from tabpo.scoring.tokenise import PairExample, differing_tokens

pytest.importorskip("trl", reason="the peer is no dependency of the project")
PAIRS = 3


def texts_of(prompts, pairs):
    texts = {prompt.prompt_id: prompt.messages[0].content + "<sep>" for prompt in prompts}
    return [{"prompt": texts[pair.prompt_id], "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs]


@pytest.fixture(scope="module")
def peer(make_model, tokenizer, prompts, pairs, tmp_path_factory):
    """TRL's trainer, whose reference is another model than its policy, and its collated batch of three pairs."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = texts_of(prompts, pairs[:PAIRS])
    arguments = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")),
        per_device_train_batch_size=PAIRS,
        beta=0.1,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        model=make_model(seed=0),
        ref_model=make_model(seed=1),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(PAIRS)])
    return trainer, batch


def rows_of(batch):
    """Prompt and completion ids of each row as TRL tokenised them."""
    for ids, attention, completion in zip(
        batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True
    ):
        kept, ours = ids[attention.bool()].tolist(), completion[attention.bool()].bool().tolist()
        yield tuple(kept[: ours.index(True)]), tuple(kept[ours.index(True) :])


def test_dpo_equals_trl(peer, make_model, fp32):
    trainer, batch = peer
    expected = trainer.compute_loss(trainer.model, batch)
    expected.backward()
    expected_gradient = trainer.model.model.layers[0].mlp.up_proj.weight.grad

    rows = list(rows_of(batch))
    examples = [
        PairExample(
            pair_id=f"{n}/0",
            prompt_ids=rows[n][0],
            chosen_ids=rows[n][1],
            rejected_ids=rows[PAIRS + n][1],
            chosen_fields=(0,) * len(rows[n][1]),
            rejected_fields=(0,) * len(rows[PAIRS + n][1]),
            chosen_differs=differing_tokens(rows[n][1], rows[PAIRS + n][1])[0],
            rejected_differs=differing_tokens(rows[n][1], rows[PAIRS + n][1])[1],
            chosen_reference=None,
            rejected_reference=None,
        )
        for n in range(PAIRS)
    ]
    ours = collate_pairs(examples, pad_id=0)
    with torch.no_grad():
        ours["reference_logps"] = completion_logps(make_model(seed=1), ours, fp32)
    model = make_model(seed=0)
    loss = build_loss("dpo", beta=0.1)(*score_pairs(model, ours, fp32)).losses.mean()
    loss.backward()
    assert abs(loss.item() - 0.6931) > 0.01  # the two models differ
    torch.testing.assert_close(loss, expected.detach().to(loss.dtype), atol=1e-5, rtol=0)
    torch.testing.assert_close(model.model.layers[0].mlp.up_proj.weight.grad, expected_gradient, atol=1e-5, rtol=1e-4)


def test_fifty_steps_of_dpo_equal_trl(
    make_trainer, preference, make_model, tokenizer, prompts, pairs, pair_examples, tmp_path
):
    """With the same batches, the losses of all steps and the answers to other prompts afterwards are equal."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    settings = {"steps": 50, "batch_size": 2, "micro_batch_size": 2, "learning_rate": 3e-4, "weight_decay": 0.0}
    ours = make_trainer(preference("dpo", beta=0.1), make_model(), pair_examples, tmp_path, **settings)
    ours.run(None)

    arguments = DPOConfig(
        output_dir=str(tmp_path),
        max_steps=50,
        per_device_train_batch_size=2,
        learning_rate=3e-4,
        lr_scheduler_type="linear",
        beta=0.1,
        logging_steps=1,
        save_strategy="no",
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
    )
    theirs = DPOTrainer(
        model=make_model(),
        ref_model=make_model(),
        args=arguments,
        train_dataset=Dataset.from_list(texts_of(prompts, [pairs[index] for index in ours.plan.order])),
        processing_class=tokenizer,
    )
    theirs._get_train_sampler = SequentialSampler
    theirs.train()

    curve = [entry["loss"] for entry in theirs.state.log_history if "loss" in entry]
    assert len(curve) == 50 and curve[0] == pytest.approx(0.6931, abs=1e-4) and curve[-1] < 0.4
    assert [step.loss for step in ours.steps] == pytest.approx(curve, abs=1e-4)

    held_out = [("a", (68, 2)), ("b", (*pair_examples[0].prompt_ids[3:9], 2)), ("c", (76, 80, 90, 2))]
    answers = [
        generate(model.eval(), tokenizer, held_out, max_new_tokens=20, batch_size=2)
        for model in (ours.model, theirs.model, make_model())
    ]
    assert answers[0] == answers[1] != answers[2]
