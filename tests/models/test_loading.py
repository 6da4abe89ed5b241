"""Saved folders give back the same weights and tokenizer and do not depend on place and time of saving."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.models import loading, quantized
from tabpo.models.adapters import add_adapters
from tabpo.models.loading import (
    autocast,
    layers_by_gpu,
    load_frozen,
    load_model,
    narrow_frozen,
    save_model,
    slow_in_bf16,
    tokenizer_sha256,
    weights_sha256,
)
from tabpo.models.manifest import read_manifest
from tabpo.models.tokenizer import load_tokenizer
from tabpo.study.training import training_settings

BF16 = {"precision": "bf16", "attention": "eager", "threads": 1}


def save(model, tokenizer, folder):
    folder.mkdir(parents=True)
    save_model(model, tokenizer, folder)
    return folder


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_weights_and_tokenizer_come_back(make_model, tokenizer, answer, fp32, tmp_path, architecture):
    model = make_model(architecture)
    folder = save(model, tokenizer, tmp_path / "model")
    again = load_model(folder, {**fp32, "attention": "sdpa", "precision": "bf16"})
    assert not again.training
    assert again.config._attn_implementation == "sdpa"
    state = again.state_dict()
    assert state.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(state[name], tensor) and state[name].dtype == torch.float32
    reloaded = load_tokenizer(folder)
    assert reloaded(answer)["input_ids"] == tokenizer(answer)["input_ids"]
    assert reloaded.chat_template == tokenizer.chat_template
    assert (reloaded.eos_token_id, reloaded.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_the_file_decides_how_text_is_split(make_model, tokenizer, tmp_path):
    # with a Qwen2 config.json in the folder, AutoTokenizer would split as Qwen2 does, digit by digit
    folder = save(make_model("qwen2"), tokenizer, tmp_path / "model")
    states = [json.loads(load.backend_tokenizer.to_str()) for load in (tokenizer, load_tokenizer(folder))]
    for part in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        assert states[1][part] == states[0][part]


def test_same_weights_same_bytes_wherever_saved(make_model, tokenizer, fp32, tmp_path):
    first = save(make_model(), tokenizer, tmp_path / "here" / "model")
    loaded = load_model(first, fp32)
    second = save(loaded, load_tokenizer(first), tmp_path / "there" / "deeper" / "model")
    third = save(loaded, load_tokenizer(first), tmp_path / "model")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((second / name).read_bytes() == (third / name).read_bytes() for name in names)
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    for name in names:
        assert str(tmp_path).encode() not in (second / name).read_bytes()
    assert "training_args.bin" not in names


def test_the_manifest_names_the_weights(make_model, tokenizer, tmp_path):
    first = save(make_model(seed=0), tokenizer, tmp_path / "first")
    same = save(make_model(seed=0), tokenizer, tmp_path / "same")
    other = save(make_model(seed=1), tokenizer, tmp_path / "other")
    assert read_manifest(first) == {"kind": "weights", "weights_sha256": weights_sha256(first)}
    assert read_manifest(same) == read_manifest(first)
    assert read_manifest(other) != read_manifest(first)


def test_the_tokenizer_hash_covers_the_chat_template(make_model, make_tokenizer, tmp_path):
    tokenizer = make_tokenizer()
    first = save(make_model(), tokenizer, tmp_path / "first")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    second = save(make_model(), tokenizer, tmp_path / "second")
    assert tokenizer_sha256(first) != tokenizer_sha256(second)
    assert weights_sha256(first) == weights_sha256(second)


def test_a_hub_model_is_loaded_from_the_cache_at_its_revision(monkeypatch, fp32, tmp_path):
    (tmp_path / "manifest.json").write_text(
        json.dumps({"kind": "hub", "hub": "some/model", "revision": "abc", "weights_sha256": None})
    )
    asked = {}
    monkeypatch.setattr("tabpo.models.loading.fetch_files", lambda *hub: Path("cache", *hub))
    monkeypatch.setattr(
        "tabpo.models.loading.AutoModelForCausalLM.from_pretrained",
        lambda source, **kw: asked.update(kw, source=source),
    )
    load_model(tmp_path, fp32)
    assert (asked["source"], asked["trust_remote_code"]) == (Path("cache/some/model/abc"), False)
    assert asked["use_safetensors"] and asked["dtype"] == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="FlexAttention trains on a GPU")
def test_flex_attention_is_refused_without_a_gpu(make_model, tokenizer, fp32, tmp_path):
    folder = save(make_model(), tokenizer, tmp_path / "model")
    with pytest.raises(ConfigError, match=r"attention flex_attention needs a GPU: .*; use eager or sdpa"):
        load_model(folder, {**fp32, "attention": "flex_attention"})


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_precision_is_that_of_the_products(precision, dtype):
    with autocast({"precision": precision}):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])  # a head tied to the embedding, and a separate head
def test_narrow_weights_below_adapters_change_no_bit(make_model, architecture):
    lora = training_settings(steps=1, lora={"r": 2, "alpha": 4, "target_modules": ["q_proj", "up_proj"]}).lora
    wide = add_adapters(make_model(architecture), lora, 1)
    for name, weight in wide.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    narrow = copy.deepcopy(wide)
    narrow_frozen(narrow, BF16)
    ids, results = torch.arange(20).reshape(2, 10), []
    for model in (wide, narrow):
        with autocast(BF16):
            logits = model(ids).logits
        logits.float().logsumexp(-1).sum().backward()
        results.append([logits, *(weight.grad for weight in model.parameters() if weight.grad is not None)])
    assert len(results[0]) == 1 + 8 and all(torch.equal(*both) for both in zip(*results, strict=True))
    dtypes = {name: weight.dtype for name, weight in narrow.named_parameters()}
    held = {name.split(".")[-2] for name, dtype in dtypes.items() if dtype == torch.bfloat16}
    heads = {"lm_head"} if architecture == "llama" else set()
    assert held == {"base_layer", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"} | heads
    assert {dtype for name, dtype in dtypes.items() if "lora" in name} == {torch.float32}


def test_load_frozen_narrows_weights_only_in_bf16(make_model, tokenizer, fp32, tmp_path):
    folder = save(make_model("llama"), tokenizer, tmp_path / "model")
    read = load_frozen(folder, BF16)
    assert not read.training and not any(weight.requires_grad for weight in read.parameters())
    assert read.lm_head.weight.dtype == torch.bfloat16 and read.model.norm.weight.dtype == torch.float32
    assert {weight.dtype for weight in load_frozen(folder, fp32).parameters()} == {torch.float32}


def test_a_model_that_fills_half_a_gpu_is_spread_over_all(make_model, tokenizer, fp32, tmp_path, monkeypatch):
    folder = save(make_model(), tokenizer, tmp_path / "model")
    size, expected = make_model().get_memory_footprint(), layers_by_gpu(make_model(), 2)
    spread = []
    monkeypatch.setattr(loading, "dispatch_model", lambda model, places, skip_keys: spread.append((places, skip_keys)))
    monkeypatch.setattr(loading, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for memory in (2 * size, 2 * size - 1):
        gpu = SimpleNamespace(total_memory=memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index, gpu=gpu: gpu)
        load_frozen(folder, fp32)
    ((places, skipped),) = spread
    assert places == expected and "past_key_values" in skipped


def test_layers_are_divided_and_all_other_parts_are_on_the_first_gpu(make_model):
    places = layers_by_gpu(make_model(), 2)
    assert places == {
        **{"lm_head": 0, "model.embed_tokens": 0, "model.norm": 0, "model.rotary_emb": 0},
        **{"model.layers.0": 0, "model.layers.1": 1},
    }
    other = SimpleNamespace(get_decoder=lambda: object(), config=SimpleNamespace(model_type="gpt2"))
    with pytest.raises(ConfigError, match="a gpt2 model has no decoder layers to divide among 2 GPUs"):
        layers_by_gpu(other, 2)


def test_four_bits_need_a_gpu_and_a_package(make_model, tokenizer, fp32, tmp_path, monkeypatch):
    folder = save(make_model(), tokenizer, tmp_path / "model")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="quantize nf4 needs a GPU, and torch sees none; accepted here: null"):
        load_model(folder, fp32, "nf4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(quantized, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package bitsandbytes, .*: pip install bitsandbytes"):
        load_model(folder, fp32, "nf4")


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_four_bits_are_nf4_with_products_of_the_runs_precision(monkeypatch, tmp_path, precision, dtype):
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "weights", "weights_sha256": None}))
    asked = {}
    monkeypatch.setattr(loading, "check_quantizable", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", lambda source, **kw: asked.update(kw))
    load_model(tmp_path, {**BF16, "precision": precision}, "nf4")
    four_bits = asked["quantization_config"]
    assert (asked["device_map"], asked["dtype"]) == ({"": 3}, torch.float32)
    assert four_bits.load_in_4bit and four_bits.bnb_4bit_quant_type == "nf4" and four_bits.bnb_4bit_use_double_quant
    assert four_bits.bnb_4bit_compute_dtype == dtype


@pytest.mark.parametrize(
    ("where", "capability", "slow"),
    [("cpu", "AVX2", True), ("cpu", "AVX512", False), ("cpu", "DEFAULT", False), ("cuda", "AVX2", False)],
)
def test_bfloat16_is_slow_on_an_x86_cpu_without_avx512_alone(monkeypatch, where, capability, slow):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert slow_in_bf16(torch.device(where)) is slow
