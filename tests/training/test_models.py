"""Folders that load as they were saved and say nothing of when and where."""

import json

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.training.models import (
    autocast,
    load_model,
    load_tokenizer,
    read_manifest,
    save_model,
    tokenizer_sha256,
    weights_sha256,
)


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
    # beside a Qwen2 config.json, AutoTokenizer would bring Qwen2's own splitting: digits one by one
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


def test_a_hub_model_is_loaded_by_id_and_revision(monkeypatch, fp32, tmp_path):
    (tmp_path / "manifest.json").write_text(
        json.dumps({"kind": "hub", "hub": "some/model", "revision": "abc", "weights_sha256": None})
    )
    asked = {}
    monkeypatch.setattr(
        "tabpo.training.models.AutoModelForCausalLM.from_pretrained", lambda source, **kw: asked.update(kw, id=source)
    )
    load_model(tmp_path, fp32)
    assert (asked["id"], asked["revision"], asked["trust_remote_code"]) == ("some/model", "abc", False)
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
