"""Folders of adapters: their files, and refusals of a model below that is missing or another one."""

import json
import shutil

import pytest
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

from tabpo.errors import DataError
from tabpo.models.adapters import add_adapters, save_adapters
from tabpo.models.loading import load_model, save_model
from tabpo.models.manifest import read_manifest
from tabpo.models.tokenizer import load_tokenizer
from tabpo.study.training import LoraSettings

FP32 = {"precision": "fp32", "attention": "eager"}
LORA = LoraSettings(r=2, alpha=6.0, dropout=0.5, target_modules=["v_proj", "down_proj", "q_proj"])


@pytest.fixture
def folders(make_model, tokenizer, tmp_path):
    """Folders of a model and of adapters on it, with random weights."""
    sft, run = tmp_path / "sft/seed1/model", tmp_path / "dpo/seed1/model"
    for folder in (sft, run):
        folder.mkdir(parents=True)
    save_model(make_model(), tokenizer, sft)
    adapted = add_adapters(load_model(sft, FP32), LORA, 1)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2, generator=torch.Generator().manual_seed(0))
    save_adapters(get_peft_model_state_dict(adapted), LORA, tokenizer, sft, run)
    return sft, run, adapted


def test_adapters_are_read_like_any_model_and_by_peft(folders):
    sft, run, adapted = folders
    ids = torch.arange(5, 30)[None]
    with torch.no_grad():
        trained, start = (model.eval()(ids).logits for model in (adapted, load_model(sft, FP32)))
        read = load_model(run, FP32)(ids).logits
        by_peft = PeftModel.from_pretrained(load_model(sft, FP32), run)(ids).logits
    assert torch.equal(by_peft, trained)
    assert (read - trained).abs().max() < 1e-4 < (trained - start).abs().max()
    assert load_tokenizer(run).get_vocab() == load_tokenizer(sft).get_vocab()


def test_one_layer_is_merged_as_equation_3_of_lora_has_it(folders):
    # W + alpha / r B A (arXiv 2106.09685, section 4.1), here 6 / 2
    sft, run, _ = folders
    layer, adapters = "model.layers.1.self_attn.q_proj", load_file(run / "adapter_model.safetensors")
    first, second = (adapters[f"base_model.model.{layer}.lora_{part}.weight"] for part in "AB")
    start, read = (load_model(folder, FP32).state_dict()[f"{layer}.weight"] for folder in (sft, run))
    torch.testing.assert_close(read, start + 3 * second @ first)
    assert not torch.equal(read, start)


def test_the_manifest_names_the_model_below_by_place_and_weights(folders):
    sft, run, _ = folders
    manifest = read_manifest(run)
    below = read_manifest(sft)["weights_sha256"]
    assert (manifest["kind"], manifest["base"]) == ("adapters", "../../../sft/seed1/model")
    assert manifest["base_weights_sha256"] == below != manifest["weights_sha256"]
    config = json.loads((run / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (2, 6.0, LORA.target_modules)
    moved = run.parents[2].rename(run.parents[2].with_name("moved"))  # a study that moves keeps its models
    load_model(moved / "dpo/seed1/model", FP32)


def test_another_or_no_model_below_is_refused(folders, make_model, tokenizer):
    sft, run, _ = folders
    model = make_model()
    with torch.no_grad():
        model.get_input_embeddings().weight[0, 0] += 1
    save_model(model, tokenizer, sft)
    with pytest.raises(DataError, match=r"seed1/model, which now holds the weights \w{12}; train this run again"):
        load_model(run, FP32)
    shutil.rmtree(sft)
    with pytest.raises(DataError, match=r"sft/seed1/model, which does not exist; make that model again"):
        load_model(run, FP32)
