import pytest
import torch

from tabpo.inference import generate
from tabpo.records import Message, Prompt
from tabpo.training.scratch import ScratchModel, build_model
from tabpo.training.scratch_tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    answer = '{"entities":[{"id":1,"label":"Task","span":"parsing"}],"relations":[]}'
    return train_tokenizer([Prompt("a", "a", (Message("user", "we study parsing ."),), answer)] * 4, vocab_size=400)


@pytest.fixture(scope="module")
def model(tokenizer):
    settings = ScratchModel(
        architecture="qwen2",
        hidden_size=32,
        layers=2,
        heads=2,
        intermediate_size=64,
        vocab_size=400,
        max_positions=128,
        init_std=0.3,
        copy_circuit=False,
        seed=1,
    )
    return build_model(settings, tokenizer).eval()


def prompts(tokenizer, lengths):
    generator = torch.Generator().manual_seed(5)
    return [
        (f"p{number}", torch.randint(3, len(tokenizer), (length,), generator=generator).tolist())
        for number, length in enumerate(lengths)
    ]


def greedy(model, ids, cap, eos):
    """The definition: the most likely next token, again and again, without cache or padding."""
    new = []
    while len(new) < cap:
        logits = model(input_ids=torch.tensor([[*ids, *new]])).logits[0, -1]
        new.append(int(logits.argmax()))
        if new[-1] == eos:
            break
    return new


def test_batches_give_what_each_prompt_gives_alone(model, tokenizer):
    given = prompts(tokenizer, [5, 11, 2, 7, 7, 3])
    completions = generate(model, tokenizer, given, max_new_tokens=12, batch_size=4)
    assert [one.prompt_id for one in completions] == [prompt_id for prompt_id, _ in given]
    for completion, (_, ids) in zip(completions, given, strict=True):
        expected = greedy(model, ids, 12, tokenizer.eos_token_id)
        assert completion.n_tokens == len(expected)
        assert completion.finished == (expected[-1] == tokenizer.eos_token_id)
        assert completion.completion == tokenizer.decode(
            expected[:-1] if completion.finished else expected, clean_up_tokenization_spaces=False
        )


def test_an_answer_ends_at_its_end_of_turn_token(model, tokenizer):
    given = prompts(tokenizer, [4, 6])
    first = greedy(model, given[0][1], 3, eos=-1)
    tokenizer_ending_there = type("Tokenizer", (), {})()
    tokenizer_ending_there.__dict__ = {
        "eos_token_id": first[1],
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "decode": tokenizer.decode,
    }
    completion = generate(model, tokenizer_ending_there, given, max_new_tokens=5, batch_size=2)[0]
    assert completion.finished
    assert completion.n_tokens == (1 if first[0] == first[1] else 2)


def test_the_models_own_sampling_settings_are_replaced(model, tokenizer):
    given = prompts(tokenizer, [5, 9])
    plain = generate(model, tokenizer, given, max_new_tokens=8, batch_size=2)
    model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=50.0)
    assert generate(model, tokenizer, given, max_new_tokens=8, batch_size=2) == plain
