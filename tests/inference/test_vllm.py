"""The calls of vLLM, with a stand-in that has its interface; tests/vllm runs vLLM itself."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tabpo.errors import DataError
from tabpo.records import Completion

TOKENIZER = SimpleNamespace(eos_token_id=9, decode=lambda ids, **_: "".join(map(str, ids)))
PROMPTS = [("a", (1, 2)), ("b", (3, 4, 5, 6))]


def keywords(**settings):
    return settings


@pytest.fixture
def asked(monkeypatch):
    """The arguments that the stand-in receives; its answers are the prompt's ids and the end-of-turn token, capped."""
    given = {}

    class LLM:
        def __init__(self, **settings):
            given["engine"] = settings

        def generate(self, prompts, sampling_params, lora_request):
            given.update(sampling=sampling_params, prompts=prompts, lora=lora_request)
            answers = [(*prompt["prompt_token_ids"], 9)[: sampling_params["max_tokens"]] for prompt in prompts]
            return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids)]) for ids in answers]

    contents = {
        "vllm": {"LLM": LLM, "SamplingParams": keywords},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": lambda *named: named},
        "vllm.sampling_params": {"StructuredOutputsParams": keywords},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "tabpo.inference.vllm", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "auto")
    return given


def generate(folder, gpus=0, precision="fp32", grammar=None):
    from tabpo.inference.vllm import Caps, generate_by_vllm

    numerics, caps = {"precision": precision, "threads": 2}, Caps(20, 3, 5)
    return generate_by_vllm(folder, TOKENIZER, PROMPTS, numerics=numerics, gpus=gpus, caps=caps, grammar=grammar)


def write_manifest(folder, **content):
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def test_ids_go_in_and_completions_come_out_in_order(asked, tmp_path):
    folder = write_manifest(tmp_path / "model", kind="weights", weights_sha256="w")
    completions = generate(folder, gpus=2, precision="bf16")
    assert completions == [Completion("a", "12", 3, True), Completion("b", "345", 3, False)]
    assert asked["prompts"] == [{"prompt_token_ids": [1, 2]}, {"prompt_token_ids": [3, 4, 5, 6]}]
    sampling = {"temperature": 0.0, "max_tokens": 3, "stop_token_ids": [9], "detokenize": False}
    assert asked["sampling"] == sampling | {"structured_outputs": None}
    engine = asked["engine"]
    assert engine["model"] == str(folder) and engine["generation_config"] == "vllm"
    assert (engine["max_model_len"], engine["max_num_seqs"], engine["dtype"]) == (20, 5, "bfloat16")
    assert (engine["tensor_parallel_size"], engine["skip_tokenizer_init"], asked["lora"]) == (2, True, None)
    assert engine["trust_remote_code"] is False and "enable_lora" not in engine


def test_without_a_gpu_one_cpu_worker_has_the_threads_of_the_run(asked, tmp_path):
    import os

    generate(write_manifest(tmp_path / "model", kind="weights", weights_sha256="w"))
    assert (asked["engine"]["tensor_parallel_size"], asked["engine"]["dtype"]) == (1, "float32")
    assert (os.environ["OMP_NUM_THREADS"], os.environ["VLLM_CPU_OMP_THREADS_BIND"]) == ("2", "nobind")


def test_a_grammar_is_given_with_the_tokenizer_that_it_reads(asked, tmp_path):
    folder = write_manifest(tmp_path / "model", kind="weights", weights_sha256="w")
    generate(folder, grammar="start: /x/")
    assert asked["sampling"]["structured_outputs"] == {"grammar": "start: /x/"}
    engine = asked["engine"]
    assert (engine["skip_tokenizer_init"], engine["tokenizer"]) == (False, str(folder))
    assert engine["structured_outputs_config"] == {"backend": "guidance"}


def test_adapters_are_requested_on_the_model_below_them(asked, tmp_path):
    below = write_manifest(tmp_path / "sft", kind="weights", weights_sha256="w")
    run = write_manifest(tmp_path / "dpo", kind="adapters", base="../sft", base_weights_sha256="w")
    (run / "adapter_config.json").write_text('{"r": 12}')
    generate(run)
    assert asked["engine"]["model"] == f"{run}/../sft" and asked["lora"] == ("run", 1, str(run))
    assert (asked["engine"]["enable_lora"], asked["engine"]["max_lora_rank"]) == (True, 16)
    (below / "manifest.json").write_text('{"kind": "weights", "weights_sha256": "other"}')
    with pytest.raises(DataError, match="which now holds the weights other; train this run again"):
        generate(run)
