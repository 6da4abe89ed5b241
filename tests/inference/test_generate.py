"""Greedy answers equal their definition: the most likely token, one prompt at a time, without cache or padding."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from tabpo.inference.generate import generate
from tabpo.models.loading import load_frozen, save_model
from tabpo.models.scratch import ScratchModel, build_model
from tabpo.models.scratch_tokenizer import train_tokenizer
from tabpo.records import Completion, Message, Prompt
from tabpo.scoring.attention import let_read_trees

FAMILIES = {
    "gpt2": {"activation_function": "gelu"},  # another kind of attention, with learnt positions
    "llama": {},
    "qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},  # in the second layer
    "qwen3": {},
    "mistral": {"sliding_window": 6},
}


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
    """Repeatedly the most likely next token, without cache or padding."""
    new = []
    while len(new) < cap:
        logits = model(input_ids=torch.tensor([[*ids, *new]])).logits[0, -1]
        new.append(int(logits.argmax()))
        if new[-1] == eos:
            break
    return new


def ending(model, tokenizer, given, cap):
    """A tokenizer whose end-of-turn token gives the model's answers as many different lengths as possible."""
    answers = [definition(model, ids, cap, eos=-1) for _, ids in given]
    lengths = {
        token: {answer.index(token) if token in answer else cap for answer in answers}
        for token in {token for answer in answers for token in answer}
    }
    most = max(lengths, key=lambda token: len(lengths[token]))
    assert len(lengths[most]) >= 4
    return SimpleNamespace(eos_token_id=most, decode=tokenizer.decode)


def check(model, tokenizer, given, cap, batch_size):
    """Check that batched completions equal the definition, in the order of the prompts."""
    completions = generate(model, tokenizer, given, max_new_tokens=cap, batch_size=batch_size)
    expected = []
    for prompt_id, ids in given:
        answer = definition(model, ids, cap, tokenizer.eos_token_id)
        finished = answer[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(answer[:-1] if finished else answer, clean_up_tokenization_spaces=False)
        expected.append(Completion(prompt_id, text, len(answer), finished))
    assert completions == expected
    return completions


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_batches_give_what_each_prompt_gives_alone(model, tokenizer, batch_size):
    given = prompts(tokenizer, [9, 3, 14, 1, 6, 6, 2, 20, 5, 8, 12, 4])
    completions = check(model, ending(model, tokenizer, given, 30), given, 30, batch_size)
    # an answer ends at the end-of-turn token or at the cap
    assert {answer.finished for answer in completions} == {True, False}
    assert all(answer.n_tokens == 30 for answer in completions if not answer.finished)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_architecture_answers_alike_with_the_attention_of_training(family, attention):
    torch.manual_seed(1)
    config = AutoConfig.for_model(
        family,
        vocab_size=30,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=4,
        initializer_range=0.5,
        **FAMILIES[family],
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    numbers = torch.Generator().manual_seed(5)
    given = [(n, torch.randint(30, (length,), generator=numbers).tolist()) for n, length in enumerate((9, 3, 14, 1, 6))]
    names = SimpleNamespace(eos_token_id=4, decode=lambda ids, **_: " ".join(map(str, ids)))
    completions = check(model, names, given, 12, 3)
    if family != "gpt2":
        let_read_trees(model)
        assert generate(model, names, given, max_new_tokens=12, batch_size=3) == completions


def test_generation_settings_in_the_models_folder_change_nothing(model, tokenizer, tmp_path):
    given = prompts(tokenizer, [5, 9])
    plain = generate(model, tokenizer, given, max_new_tokens=8, batch_size=2)
    save_model(model, tokenizer, tmp_path)
    sampling = {"do_sample": True, "temperature": 5.0, "repetition_penalty": 50.0, "no_repeat_ngram_size": 1}
    ending = {"eos_token_id": [*range(3, 200)], "max_length": 3}
    GenerationConfig(**sampling, **ending, num_beams=3).save_pretrained(tmp_path)
    loaded = load_frozen(tmp_path, {"precision": "fp32", "attention": "sdpa"})
    settings = loaded.generation_config
    assert settings.do_sample and settings.repetition_penalty == 50.0 and settings.max_length == 3
    assert generate(loaded, tokenizer, given, max_new_tokens=8, batch_size=2) == plain
    assert loaded.generation_config is settings


def test_no_prompts_no_answers(model, tokenizer):
    assert generate(model, tokenizer, [], max_new_tokens=5, batch_size=2) == []


def test_samples_follow_the_models_probabilities(model, tokenizer):
    [(_, ids)] = prompts(tokenizer, [6])
    count = 20_000
    sampled = generate(model, NUMBERED, [("p", ids)] * count, max_new_tokens=1, batch_size=500, seed=3)
    tokens = torch.tensor([int(answer.completion or 272) for answer in sampled])
    drawn = torch.bincount(tokens, minlength=model.config.vocab_size) / count
    logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
    probabilities = logits.softmax(-1)
    error = (probabilities * (1 - probabilities) / count).sqrt()
    assert ((drawn - probabilities).abs() <= 5 * error + 1 / count).all()
    beyond = logits.argsort(descending=True)[50:]
    assert drawn[beyond].sum() > 0  # no cut after the 50 likeliest tokens, which is the usual setting


NUMBERED = SimpleNamespace(eos_token_id=272, decode=lambda ids, **_: " ".join(map(str, ids)))


def test_equal_seeds_give_equal_samples_and_kept_batches_change_nothing(model):
    given = [(f"p{number}", list(range(3, 9 + number))) for number in range(3) for _ in range(8)]

    def samples(seed, each=map):
        return generate(model, NUMBERED, given, max_new_tokens=12, batch_size=5, seed=seed, each=each)

    before = torch.random.get_rng_state()
    first = samples(1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [answer.prompt_id for answer in first] == [prompt_id for prompt_id, _ in given]
    assert len({answer.completion for answer in first}) > 12
    torch.manual_seed(99)
    assert samples(1) == first != samples(2)
    kept = []

    def resumed(answer, batches):
        kept.extend(map(answer, batches[:2]))
        torch.manual_seed(5)  # another process goes on
        return [*kept, *map(answer, batches[2:])]

    assert samples(1, resumed) == first
