"""The calls of vLLM, with a stand-in that has its documented interface; vLLM itself is not tested."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from tabpo.errors import ConfigError
from tabpo.inference.vllm import generate_by_vllm
from tabpo.records import Completion

TOKENIZER = SimpleNamespace(eos_token_id=9, decode=lambda ids, **_: "".join(map(str, ids)))
LIMITS = {"max_length": 20, "max_new_tokens": 3, "batch_size": 5}


@pytest.fixture
def asked(monkeypatch):
    """The arguments that the stand-in receives; its answers are the prompt's ids and the end-of-turn token, capped."""
    given = {}

    class LLM:
        def __init__(self, **settings):
            given["engine"] = settings

        def generate(self, prompts, sampling_params):
            given["sampling"], given["prompts"] = sampling_params, prompts
            answers = [(*prompt["prompt_token_ids"], 9)[: sampling_params["max_tokens"]] for prompt in prompts]
            return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids)]) for ids in answers]

    vllm = ModuleType("vllm")
    vllm.__spec__ = ModuleSpec("vllm", None)
    vllm.LLM, vllm.SamplingParams = LLM, lambda **settings: settings
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    return given


def test_ids_go_in_and_completions_come_out_in_order(asked, tmp_path):
    prompts = [("a", (1, 2)), ("b", (3, 4, 5, 6))]
    completions = generate_by_vllm(tmp_path, TOKENIZER, prompts, precision="bf16", **LIMITS)
    assert completions == [Completion("a", "12", 3, True), Completion("b", "345", 3, False)]
    assert asked["prompts"] == [{"prompt_token_ids": [1, 2]}, {"prompt_token_ids": [3, 4, 5, 6]}]
    sampling = {"temperature": 0.0, "max_tokens": 3, "stop_token_ids": [9], "detokenize": False}
    assert asked["sampling"] == sampling
    engine = asked["engine"]
    assert engine["model"] == str(tmp_path) and engine["generation_config"] == "vllm"
    assert (engine["max_model_len"], engine["max_num_seqs"], engine["dtype"]) == (20, 5, "bfloat16")
    assert engine["trust_remote_code"] is False


def test_vllm_that_is_not_installed_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("tabpo.study.generation.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"generation.engine is vllm, but that package is not installed: pip install"):
        generate_by_vllm(tmp_path, TOKENIZER, [], precision="fp32", **LIMITS)
