"""Greedy answers against their definition: one prompt at a time, without cache or padding."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import MistralConfig, MistralForCausalLM

from tabpo import inference
from tabpo.errors import ConfigError
from tabpo.inference import drafts as drafts_module
from tabpo.inference import generate, greedy
from tabpo.inference import rows as rows_module
from tabpo.records import Completion, Message, Prompt
from tabpo.training.attention import shares_prefixes
from tabpo.training.scratch import ScratchModel, build_model
from tabpo.training.scratch_tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    answer = '{"entities":[{"id":1,"label":"Task","span":"parsing"}],"relations":[]}'
    return train_tokenizer([Prompt("a", "a", (Message("user", "we study parsing ."),), answer)] * 4, vocab_size=400)


@pytest.fixture(scope="module")
def model(tokenizer):
    shape = ScratchModel(
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
    return build_model(shape, tokenizer).eval()


def prompts(tokenizer, lengths):
    generator = torch.Generator().manual_seed(5)
    return [
        (f"p{number}", torch.randint(3, len(tokenizer), (length,), generator=generator).tolist())
        for number, length in enumerate(lengths)
    ]


def definition(model, ids, cap, eos):
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
        expected = definition(model, ids, 12, tokenizer.eos_token_id)
        assert completion.n_tokens == len(expected)
        assert completion.finished == (expected[-1] == tokenizer.eos_token_id)
        assert completion.completion == tokenizer.decode(
            expected[:-1] if completion.finished else expected, clean_up_tokenization_spaces=False
        )


def test_a_model_divided_among_gpus_is_answered_by_the_library(model, tokenizer, monkeypatch):
    asked = {"prompts": prompts(tokenizer, [5, 11, 2]), "max_new_tokens": 6, "batch_size": 2}
    whole = generate(model, tokenizer, **asked)
    monkeypatch.setattr(model, "hf_device_map", {"model.layers.0": 0, "model.layers.1": 1}, raising=False)
    monkeypatch.setattr(inference, "answer_all", None)  # the device of its rows is one
    assert generate(model, tokenizer, **asked) == whole
    with pytest.raises(ConfigError, match="answers of a qwen2 model on several GPUs cannot be constrained; accepted:"):
        generate(model, tokenizer, **asked, constraint=object())


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_a_model_whose_turns_go_by_the_length_of_a_text_reads_no_packed_rows(model, monkeypatch, kind):
    assert shares_prefixes(model)
    monkeypatch.setitem(model.config.rope_parameters, "rope_type", kind)
    assert not shares_prefixes(model)


def test_an_answer_ends_at_its_end_of_turn_token(model, tokenizer):
    given = prompts(tokenizer, [4, 6])
    first = definition(model, given[0][1], 3, eos=-1)
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


def ending(model, tokenizer, prompts, cap):
    """A tokenizer whose end-of-turn token makes the model's answers as unequal in length as one token can."""
    answers = [definition(model, ids, cap, eos=-1) for ids in prompts]
    lengths = {
        token: {answer.index(token) if token in answer else cap for answer in answers}
        for token in {token for answer in answers for token in answer}
    }
    most = max(lengths, key=lambda token: len(lengths[token]))
    assert len(lengths[most]) >= 4
    return SimpleNamespace(eos_token_id=most, decode=tokenizer.decode)


def check(model, tokenizer, prompts, cap, batch_size):
    completions = generate(model, tokenizer, list(enumerate(prompts)), max_new_tokens=cap, batch_size=batch_size)
    for number, (completion, ids) in enumerate(zip(completions, prompts, strict=True)):
        expected = definition(model, ids, cap, tokenizer.eos_token_id)
        finished = expected[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(expected[:-1] if finished else expected, clean_up_tokenization_spaces=False)
        assert completion == Completion(number, text, len(expected), finished)


@pytest.fixture
def calls(monkeypatch):
    """Numbers of tokens that the model reads, call by call."""
    tokens, read = [], rows_module.read

    def spy(model, reading, rooms):
        tokens.append(len(reading.ids))
        return read(model, reading, rooms)

    monkeypatch.setattr(rows_module, "read", spy)
    return tokens


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_rows_are_taken_over_as_answers_end(model, tokenizer, monkeypatch, batch_size):
    monkeypatch.setattr(rows_module, "ROOM", 4)  # made larger again and again
    given = [ids for _, ids in prompts(tokenizer, [9, 3, 14, 1, 6, 6, 2, 20, 5, 8, 12, 4])]
    check(model, ending(model, tokenizer, given, 30), given, 30, batch_size)


def test_what_all_prompts_begin_with_is_read_once(model, tokenizer, calls):
    (_, shared), *tails = prompts(tokenizer, [25, 1, 7, 3, 30, 2])
    given = [[*shared, *ids] for _, ids in tails] + [shared]
    for _ in range(2):  # the shortest prompt is the prefix itself: one token of it is left to predict from
        calls.clear()
        generate(model, tokenizer, list(enumerate(given)), max_new_tokens=2, batch_size=3)
        assert calls[0] == len(shared) - 1
        # what is left of the three longest, then of the others; each tail and one token of what they share
        assert calls[1] == (1 + 30) + (1 + 7) + (1 + 3)
        assert sum(calls) == calls[0] + calls[1] + (1 + 2) + (1 + 1) + 1 + 6
    check(model, tokenizer, given, 10, 3)


def test_no_more_rows_than_the_batch_size_and_none_that_has_ended(model, tokenizer, calls, monkeypatch):
    monkeypatch.setattr(drafts_module, "MOST", 0)
    given = [ids for _, ids in prompts(tokenizer, [9, 3, 14, 1, 6, 6, 2, 20, 5, 8])]
    ended = ending(model, tokenizer, given, 30)
    calls.clear()
    completions = generate(model, ended, list(enumerate(given)), max_new_tokens=30, batch_size=4)
    # nothing is read but the prompts and, of each answer, all tokens but the last; once each
    assert sum(calls) == sum(map(len, given)) + sum(one.n_tokens - 1 for one in completions)
    assert sorted(calls)[-1] == 20 + 14 + 9 + 8


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_sliding_window_shorter_than_the_prompts(tokenizer, attention):
    torch.manual_seed(3)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=6,
        initializer_range=0.3,
        attn_implementation=attention,
    )
    sliding = MistralForCausalLM(config).eval()
    (_, shared), *tails = prompts(tokenizer, [9, 1, 7, 3, 11, 2])
    check(sliding, tokenizer, [[*shared, *ids] for _, ids in tails], 12, 2)


def test_no_prompts_no_answers(model, tokenizer):
    assert generate(model, tokenizer, [], max_new_tokens=5, batch_size=2) == []


@given(rows=st.integers(1, 20), data=st.data())
@settings(max_examples=50)
def test_rows_close_up_with_few_moves(rows, data):
    ended = data.draw(st.sets(st.integers(0, rows - 1), min_size=1))
    order = greedy._closed_up(rows, ended)
    assert sorted(order) == sorted(set(range(rows)) - ended)
    assert all(row == place or place in ended for place, row in enumerate(order))


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=5), min_size=1, max_size=4))
@settings(max_examples=50)
def test_common_prefix(prompts):
    shared = greedy._common_prefix(prompts)
    assert all(ids[: len(shared)] == shared and len(ids) > len(shared) for ids in prompts)
    longer = len(shared) + 1
    assert len({tuple(ids[:longer]) for ids in prompts}) > 1 or longer == min(map(len, prompts))
