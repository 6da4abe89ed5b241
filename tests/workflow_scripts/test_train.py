"""The program `train`, called like its rule calls it."""

import json
import math
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch
import yaml

from tabpo.artefacts import sha256_file
from tabpo.errors import ConfigError, DataError
from tabpo.models.loading import load_model
from tabpo.records import Pair, Reference, read_metadata, read_records, write_records
from tabpo.training import run
from tabpo.training.preference import PreferenceTrainer
from workflow_scripts import predict, train


def files(folder):
    """All artefacts except the two that contain times or paths; checkpoints stay until a workflow accepts the run."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    varying = ("provenance.json", "timing.parquet")
    return {str(path): (folder / path).read_bytes() for path in paths if path.parts[0] not in ("checkpoints", *varying)}


@pytest.mark.parametrize(("precision", "reference"), [("fp32", "reference"), ("bf16", "reference_bf16")])
def test_dpo_starts_at_ln_2_and_separates_the_pairs(study, tmp_path, precision, reference):
    train.main(study.train(tmp_path, precision=precision, reference=f"{reference}.parquet"))
    run = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert run["method"] == {"name": "dpo", "loss": "dpo", "params": {"beta": 0.1}, "pairing": "mixed"}
    steps = pd.read_parquet(tmp_path / "training.parquet")
    assert steps["loss"].iloc[0] == pytest.approx(math.log(2), abs=1e-6)
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0] and steps["accuracy"].iloc[-1] == 1.0
    assert steps["drift_edited"].abs().iloc[0] == 0.0
    code = json.loads((tmp_path / "provenance.json").read_text())["code"]
    assert "tabpo.losses.dpo" in code and "tabpo.training.preference" in code


@pytest.mark.parametrize("loss", ["tab_po", "simpo"])
def test_the_same_run_in_two_folders_gives_the_same_bytes(study, tmp_path, loss):
    for name in ("first", "second"):
        train.main(study.train(tmp_path / name, loss=loss))
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert str(tmp_path).encode() not in b"".join(files(tmp_path / "first").values())


def test_narrow_weights_below_adapters_leave_the_run_what_it_was(study, tmp_path, monkeypatch):
    narrow, wide = tmp_path / "narrow", tmp_path / "wide"
    settings = {"precision": "bf16", "reference": "reference_bf16.parquet", "steps": 2, "loss": "tdpo2"}
    settings["lora"] = {"r": 2, "alpha": 4, "target_modules": ["q_proj", "up_proj"]}
    train.main(study.train(narrow, **settings))
    monkeypatch.setattr(run, "narrow_frozen", lambda model, numerics: None)
    train.main(study.train(wide, **settings))
    for file in ("training.parquet", "model/model.safetensors"):
        assert (narrow / file).read_bytes() == (wide / file).read_bytes()
    assert pd.read_parquet(narrow / "training.parquet")["drift_edited"].abs().iloc[0] == 0.0  # the reference's bits


def test_adapters_on_disk_are_the_merged_model_to_the_bit(study, tmp_path):
    lora = {"r": 2, "alpha": 4, "dropout": 0.1, "target_modules": ["q_proj", "up_proj"]}
    whole, small = tmp_path / "whole", tmp_path / "small"
    train.main(study.train(whole, lora=lora))
    train.main(study.train(small, lora={**lora, "merge": False}))
    assert sorted(path.name for path in (small / "model").glob("*.safetensors")) == ["adapter_model.safetensors"]
    logs = [pd.read_parquet(folder / "training.parquet") for folder in (whole, small)]
    pd.testing.assert_frame_equal(*logs)
    numerics = {"precision": "fp32", "attention": "eager"}
    stored, read = (load_model(folder / "model", numerics).state_dict() for folder in (whole, small))
    start = load_model(study.folder / "base", numerics).state_dict()
    assert stored.keys() == read.keys() == start.keys()
    assert all(torch.equal(stored[name], read[name]) for name in stored)
    assert {name for name in start if not torch.equal(start[name], read[name])} == {
        f"model.layers.{layer}.{name}.weight" for layer in (0, 1) for name in ("self_attn.q_proj", "mlp.up_proj")
    }
    answers = []
    for folder in (whole, small):
        settings = json.loads(study.settings({"name": "dpo"})) | {"engine": "transformers", "constraint": "none"}
        arguments = ["--settings", json.dumps(settings | {"batch_size": 4}), "--model", str(folder / "model")]
        arguments += ["--prompts", study.path("prompts.parquet"), "--output", str(folder / "completions.parquet")]
        predict.main(arguments)
        answers.append((folder / "completions.parquet").read_bytes())
    assert answers[0] == answers[1]
    checked = [json.loads((folder / "provenance.json").read_text())["merge_difference"] for folder in (whole, small)]
    assert checked[0] == checked[1] < 1e-4


@pytest.fixture
def killed(monkeypatch):
    """A function that trains until it is killed after the third step."""
    micro_batch = PreferenceTrainer.micro_batch

    def kill(self, model, batch):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return micro_batch(self, model, batch)

    def run_until_killed(arguments):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(PreferenceTrainer, "micro_batch", kill)
            train.main(arguments)

    return run_until_killed


@pytest.mark.parametrize("lora", [None, {"r": 2, "alpha": 4, "merge": False}], ids=["full", "adapters"])
def test_an_interrupted_run_continues_to_the_same_bytes(study, tmp_path, killed, caplog, lora):
    train.main(study.train(tmp_path / "unbroken", lora=lora))
    killed(study.train(tmp_path / "broken", lora=lora))
    with caplog.at_level("INFO"):
        train.main(study.train(tmp_path / "broken", lora=lora))
    assert "resuming from checkpoint-2" in caplog.text
    assert files(tmp_path / "broken") == files(tmp_path / "unbroken")


def test_a_run_does_not_continue_from_a_checkpoint_of_another_version_of_its_loss(
    study, tmp_path, killed, monkeypatch, caplog
):
    killed(study.train(tmp_path))
    monkeypatch.setattr(run, "loss_fingerprints", lambda loss: {f"tabpo.losses.{loss}": "other"})
    with caplog.at_level("INFO"):
        train.main(study.train(tmp_path))
    assert "steps of" in caplog.text and "resuming" not in caplog.text


def test_a_reference_of_other_weights_is_refused_by_its_key_or_at_step_0(study, tmp_path):
    for name in ("prompts.parquet", "pairs.parquet"):
        shutil.copy(study.folder / name, tmp_path)
    path = study.folder / "reference.parquet"
    shifted = [
        Reference(row.pair_id, tuple(logp - 0.01 for logp in row.chosen_logps), row.rejected_logps)
        for row in read_records(path, Reference)
    ]
    write_records(tmp_path / "shifted.parquet", Reference, shifted, read_metadata(path))
    with pytest.raises(DataError, match=r"step 0: policy and reference are 0\.00\d+ nats per token apart"):
        train.main(study.train(tmp_path, reference=str(tmp_path / "shifted.parquet")))
    write_records(tmp_path / "stale.parquet", Reference, shifted, {**read_metadata(path), "weights_sha256": "other"})
    with pytest.raises(DataError, match="weights_sha256 other is now"):
        train.main(study.train(tmp_path, reference=str(tmp_path / "stale.parquet")))


def test_an_unknown_loss_is_refused(study, tmp_path):
    with pytest.raises(ConfigError, match="unknown loss dpoo; there are: "):
        train.main(study.train(tmp_path, loss="dpoo"))


def test_a_pair_of_equal_sides_is_refused_before_training(study, tmp_path):
    pairs = read_records(study.folder / "pairs.parquet", Pair)
    pairs[3] = replace(pairs[3], rejected=pairs[3].chosen)
    write_records(tmp_path / "pairs.parquet", Pair, pairs)
    path = study.folder / "reference.parquet"
    key = {**read_metadata(path), "pairs_sha256": sha256_file(tmp_path / "pairs.parquet")}
    write_records(tmp_path / "reference.parquet", Reference, read_records(path, Reference), key)
    arguments = study.train(tmp_path, reference=str(tmp_path / "reference.parquet"))
    arguments[arguments.index("--pairs") + 1] = str(tmp_path / "pairs.parquet")
    with pytest.raises(DataError, match=r"pair 4: chosen and rejected are the same \d+ tokens"):
        train.main(arguments)
    assert not (tmp_path / "run.yaml").exists()
