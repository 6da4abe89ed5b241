"""Packed rows with drafts against `model.generate`, whose answers they must give to the token."""

from copy import deepcopy
from types import SimpleNamespace

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from tabpo.inference import drafts as drafts_module
from tabpo.inference import greedy
from tabpo.inference import rows as rows_module
from tabpo.inference.greedy import answer_all
from tabpo.inference.library import answer_by_library
from tabpo.inference.rows import Rows

prompt = st.lists(st.integers(0, 29), min_size=1, max_size=20)


def ours(model, prompts, **limits):
    with torch.inference_mode():
        return dict(answer_all(model, prompts, constraint=None, **limits))


def theirs(model, prompts, **limits):
    with torch.inference_mode():
        return dict(answer_by_library(model, prompts, **limits))


@given(
    shared=st.lists(st.integers(0, 29), max_size=12),
    tails=st.lists(prompt, min_size=1, max_size=7),
    cap=st.integers(1, 24),
    batch_size=st.integers(1, 8),
    eos_id=st.integers(0, 29),
)
@settings(
    max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_answers_are_those_of_the_library(any_model, shared, tails, cap, batch_size, eos_id):
    prompts = [shared + tail for tail in tails]
    limits = {"max_new_tokens": cap, "batch_size": batch_size, "eos_id": eos_id}
    assert ours(any_model, prompts, **limits) == theirs(any_model, prompts, **limits)


def test_drafts_are_right_and_wrong_and_change_no_answer(any_model, monkeypatch):
    torch.manual_seed(2)
    prompts = torch.randint(30, (12, 9)).tolist()
    limits = {"max_new_tokens": 40, "batch_size": 5, "eos_id": -1}
    calls, agreed, read, agree = [], [], rows_module.read, greedy._agreed

    def spy(model, reading, rooms):
        calls.append(len(reading.ids))
        return read(model, reading, rooms)

    def witness(draft, likely):
        agreed.append((len(draft), len(agree(draft, likely)) - 1))
        return agree(draft, likely)

    monkeypatch.setattr(rows_module, "read", spy)
    monkeypatch.setattr(greedy, "_agreed", witness)
    with_drafts, reads = ours(any_model, prompts, **limits), len(calls)
    monkeypatch.setattr(drafts_module, "MOST", 0)
    calls.clear()
    assert ours(any_model, prompts, **limits) == with_drafts
    assert reads < len(calls)
    assert any(drafted == right > 0 for drafted, right in agreed) and any(drafted > right for drafted, right in agreed)


def test_what_prompts_begin_with_is_copied_once_a_prompt(any_model, monkeypatch):
    copied, copy = [], Rows.copy

    def spy(self, source, rows, known):
        copied.append(len(rows) if known == 3 else 0)
        copy(self, source, rows, known)

    monkeypatch.setattr(Rows, "copy", spy)
    ours(any_model, [[1, 2, 3, tail] for tail in range(5)], max_new_tokens=9, batch_size=2, eos_id=-1)
    assert sum(copied) == 5


def test_all_processes_take_the_first_ones_tokens_and_call_the_model_as_often(any_model, monkeypatch):
    torch.manual_seed(3)
    prompts, limits = torch.randint(30, (6, 9)).tolist(), {"max_new_tokens": 12, "batch_size": 4, "eos_id": 7}
    other = deepcopy(any_model)
    with torch.no_grad():
        other.get_output_embeddings().weight.neg_()
    alone, told = ours(other, prompts, **limits), []

    def as_process(broadcast):
        monkeypatch.setattr(greedy, "distributed", SimpleNamespace(is_initialized=lambda: True, broadcast=broadcast))

    as_process(lambda ids, src: told.append(ids.clone()))
    first = ours(any_model, prompts, **limits)
    as_process(lambda ids, src: ids.copy_(told.pop(0)))
    assert ours(other, prompts, **limits) == first != alone
    assert told == []


def test_keys_are_kept_in_the_precision_that_the_attention_computes_in(any_model):
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        rows = Rows(deepcopy(any_model).float(), 1, 4)
        rows.read([0], [[1, 2, 3]], [1])
    assert rows.kept.dtype == torch.float32  # on a CPU


def test_other_architectures_are_answered_by_the_library_without_their_own_settings():
    torch.manual_seed(3)
    config = GPT2Config(vocab_size=30, n_embd=16, n_layer=2, n_head=2, n_positions=64, initializer_range=0.5)
    model = GPT2LMHeadModel(config).double().eval()
    prompts = [*torch.randint(30, (3, 5)).tolist(), [7]]
    limits = {"max_new_tokens": 10, "batch_size": 3, "eos_id": 0}
    plain = theirs(model, prompts, **limits)
    for number, ids in enumerate(prompts):
        assert plain[number] == theirs(model, [ids], **limits)[0]
    model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=50.0)
    settings_of_its_own = model.generation_config
    assert theirs(model, prompts, **limits) == plain
    assert model.generation_config is settings_of_its_own
