"""A NaN log-prob outside a training step is reported with the step and the numbers of the examples."""

import math
from functools import partial

import pytest
import torch

from tabpo.errors import DataError
from tabpo.scoring.reference import score_gold
from tabpo.scoring.tokenise import encode_examples
from tabpo.training.pair_watch import PairWatch
from tabpo.training.sft import SftTrainer


@pytest.fixture
def broken(make_model, tokenizer):
    """A model that gives NaN after the é, which occurs only in the third prompt."""
    model = make_model("llama")
    token = tokenizer("é")["input_ids"][-1]
    with torch.no_grad():
        model.model.embed_tokens.weight[token] = math.nan
    return model


@pytest.fixture(scope="module")
def examples(tokenizer, prompts, limits):
    return encode_examples(tokenizer, prompts, limits)


def message_of(call, *arguments):
    with pytest.raises(DataError) as error:
        call(*arguments)
    message = str(error.value)
    assert "log-probs are NaN or infinite" in message and "parser" not in message
    return message


def test_held_out_answers_of_sft(broken, examples, make_trainer, tmp_path):
    trainer = make_trainer(partial(SftTrainer, held_out=examples), broken, examples, tmp_path)
    message = message_of(trainer.evaluate_held_out, 3)
    assert message.startswith("held-out answers after step 3: ")
    assert message.endswith(" records 3 of their file; lower the learning rate, or look at these records")


def test_pairs_at_step_0_and_in_an_evaluation(broken, pair_examples, preference, make_trainer, fp32, tmp_path):
    trainer = make_trainer(preference(), broken, pair_examples, tmp_path)
    message = message_of(trainer.before_training, broken)
    assert message.startswith("step 0: ") and "records 3, " in message
    message = message_of(PairWatch(pair_examples, 0, fp32, every=5).evaluate_held_out, broken, 5)
    named = message.split("records ")[1].split(" of")[0].split(", ")
    assert {str(pair.number) for pair in pair_examples} == set(named)  # one batch


def test_gold_answers(broken, examples, fp32):
    assert "in the batch of records 3 of" in message_of(score_gold, broken, examples, 0, fp32, 2)
