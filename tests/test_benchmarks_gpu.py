"""Programs that need a GPU: their refusal without one, and the study of every loss with its model and comparison."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks import curves, random_model
from tabpo.errors import DataError
from tabpo.models.loading import load_model
from tabpo.models.manifest import read_manifest
from tabpo.records import TrainingStep, write_records
from tests.training.conftest import _tokenizer as make_tokenizer

ON_A_GPU = {
    "pair_step": "--device cuda --model 1.5b --prompt 1200 --completion 300 --precisions bf16 --lora --peak 989",
    "sft_step": "--device cuda --model 1.5b --prompts 600 1800 --completions 100 500 --precisions bf16",
    "method_step": "--gpus 1",
    "otpo_weights": "--device cuda",
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would run")
@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_program_says_that_there_is_no_gpu(name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *ON_A_GPU[name].split()])
    with pytest.raises(SystemExit, match="this asks for a GPU, and torch sees none"):
        import_module(f"benchmarks.{name}").main()


def test_every_loss_of_the_project_is_in_the_study():
    config = Path(__file__).parents[1] / "config"
    study, presets = (yaml.safe_load((config / name).read_text()) for name in ("gpu.yaml", "methods.yaml"))
    assert set(study["methods"]) == {preset["loss"] for preset in presets["matched"].values()}
    assert study["training"]["preference"]["steps"] == 50


def test_random_weights_can_be_trained(tmp_path):
    make_tokenizer().save_pretrained(tmp_path / "tokenizer")
    random_model.main(
        ["--shape", "4m", "--tokenizer", str(tmp_path / "tokenizer"), "--output", str(tmp_path / "model")]
    )
    model = load_model(tmp_path / "model", {"precision": "fp32", "attention": "sdpa"})
    assert (model.config.num_hidden_layers, model.config.vocab_size, model.config.eos_token_id) == (4, 4096, 1)
    assert read_manifest(tmp_path / "model")["kind"] == "weights"


def write_course(results, method, losses):
    folder = results / "demo_abstracts/random" / method / "seed1"
    folder.mkdir(parents=True)
    rest = {"epoch": 0.0, "learning_rate": 0.0, "grad_norm": 0.0}
    steps = [TrainingStep(step=number, loss=loss, **rest) for number, loss in enumerate(losses, start=1)]
    write_records(folder / "training.parquet", TrainingStep, steps)


def test_the_distance_between_two_courses_of_training(tmp_path, capsys):
    # dpo: (0.02 + 0.06) / 2 / 0.8 = 0.05, the band itself; ipo: (0 + 1) / 2 / 4 = 0.125
    for results, dpo, ipo in (("fp32", [0.8, 0.4], [-4.0, 2.0]), ("zero2", [0.78, 0.46], [-4.0, 3.0])):
        write_course(tmp_path / results, "dpo", dpo)
        write_course(tmp_path / results, "ipo", ipo)
    write_course(tmp_path / "fp32", "sft", [1.0])
    with pytest.raises(SystemExit) as end:
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "zero2")])
    assert end.value.code == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["off"], row["inside"]) for row in rows] == [(0.05, True), (0.125, False)]
    with pytest.raises(SystemExit) as end:
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "fp32")])
    assert end.value.code == 0


def test_a_missing_or_shorter_run_is_refused(tmp_path):
    write_course(tmp_path / "fp32", "dpo", [0.8, 0.4])
    write_course(tmp_path / "zero2", "dpo", [0.8])
    with pytest.raises(DataError, match="run demo_abstracts/random/dpo/seed1 has 1 steps; expected: 2"):
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "zero2")])
    with pytest.raises(DataError, match=r"no training\.parquet of a loss"):
        curves.losses(tmp_path / "zero3")
