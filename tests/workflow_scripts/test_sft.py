"""The program `sft`, called like its rule calls it."""

import json

import pandas as pd
import pytest
import yaml

from tabpo.errors import ConfigError, DataError
from tabpo.models.loading import weights_sha256
from tabpo.training import run
from tabpo.training.checkpoints import single_writer
from tabpo.training.sft import SftTrainer
from workflow_scripts import sft

LORA = {"r": 2, "alpha": 4, "dropout": 0.2}


def files(folder):
    """All artefacts except the two that contain times or paths; checkpoints stay until a workflow accepts the run."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    varying = ("provenance.json", "timing.parquet")
    return {str(path): (folder / path).read_bytes() for path in paths if path.parts[0] not in ("checkpoints", *varying)}


def stop_at(monkeypatch, trainer, step):
    """Kill the run in the middle of a step."""
    micro_batch = trainer.micro_batch

    def killed(self, model, batch):
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return micro_batch(self, model, batch)

    monkeypatch.setattr(trainer, "micro_batch", killed)


def test_outputs_are_whole_and_explicit(study, tmp_path):
    sft.main(study.sft(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",  # they stay until Snakemake accepts the outputs
        *("model", "provenance.json", "run.yaml", "selection.json", "timing.parquet", "training.parquet"),
    ]
    run = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert sorted(run) == ["dataset", "limits", "method", "model", "numerics", "seed", "training"]
    assert run["method"] == {"name": "sft"}
    assert (run["training"]["adam_beta1"], run["training"]["epochs"], run["training"]["lora"]) == (0.9, None, None)

    steps = pd.read_parquet(tmp_path / "training.parquet")
    assert steps["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert steps["epoch"].tolist() == pytest.approx([number * 8 / 12 for number in range(1, 7)])
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    assert steps["margin"].isna().all()

    selection = json.loads((tmp_path / "selection.json").read_text())
    evaluations = [(point["step"], point["epoch"]) for point in selection["curve"]]  # 12 examples, 8 in each step
    assert evaluations == [(2, pytest.approx(16 / 12)), (3, 2.0), (5, pytest.approx(40 / 12)), (6, 4.0)]
    assert (selection["keep"], selection["measure"], selection["last"]) == ("last", "nll", selection["curve"][-1])

    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert "tabpo.training.sft" in provenance["code"]
    assert sorted(provenance["inputs"]) == ["base", "held_out_prompts", "prompts"]
    timing = pd.read_parquet(tmp_path / "timing.parquet")
    assert provenance["tokens"] == timing["tokens"].sum() and provenance["wall_s"] >= timing["seconds"].sum()
    assert (provenance["steps"], provenance["examples"]) == (6, 48) and provenance["flops"] > 0
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    assert manifest == {"kind": "weights", "weights_sha256": weights_sha256(tmp_path / "model")}


@pytest.mark.parametrize(
    "training",
    [{}, {"lora": LORA, "keep": "dev_best", "learning_rate": 0.5}, {"precision": "bf16"}],
    ids=["full", "lora", "bf16"],
)
def test_an_interrupted_run_continues_to_the_same_bytes(study, tmp_path, monkeypatch, training):
    sft.main(study.sft(tmp_path / "unbroken", **training))
    with monkeypatch.context() as patch:
        stop_at(patch, SftTrainer, 5)
        with pytest.raises(KeyboardInterrupt):
            sft.main(study.sft(tmp_path / "broken", **training))
    assert not (tmp_path / "broken/model").exists()
    (left,) = (tmp_path / "broken/checkpoints").iterdir()
    assert sorted(path.name for path in left.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    (left / "checkpoint-6").mkdir()  # an incomplete checkpoint
    sft.main(study.sft(tmp_path / "broken", **training))
    assert files(tmp_path / "broken") == files(tmp_path / "unbroken")


def test_checkpoints_of_other_settings_are_not_continued(study, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(patch, SftTrainer, 5)
        with pytest.raises(KeyboardInterrupt):
            sft.main(study.sft(tmp_path / "changed"))
    sft.main(study.sft(tmp_path / "changed", learning_rate=1e-3))
    sft.main(study.sft(tmp_path / "fresh", learning_rate=1e-3))
    ours, theirs = files(tmp_path / "changed"), files(tmp_path / "fresh")
    assert {name: ours[name] for name in theirs} == theirs


def test_a_run_that_is_being_written_is_refused(study, tmp_path):
    with single_writer(tmp_path / "checkpoints"), pytest.raises(DataError, match="is writing this run"):
        sft.main(study.sft(tmp_path))
    assert not (tmp_path / "model").exists()


def test_a_changed_configuration_of_deepspeed_continues_no_checkpoint(study, tmp_path, monkeypatch):
    def stop(folder, processes):
        folders.append(folder)
        raise KeyboardInterrupt

    folders, configuration = [], tmp_path / "config/deepspeed/zero2.json"
    configuration.parent.mkdir(parents=True)
    monkeypatch.setattr(sft, "__file__", str(tmp_path / "workflow_scripts/sft.py"))
    monkeypatch.setattr(run, "newest_complete", stop)
    monkeypatch.setenv("WORLD_SIZE", "1")
    for content in ('{"bf16": {"enabled": "auto"}}', "{}", "{}"):
        configuration.write_text(content)
        with pytest.raises(KeyboardInterrupt):
            sft.main(study.sft(tmp_path, deepspeed="zero2"))
    assert folders[0] != folders[1] == folders[2]


def test_settings_that_do_not_fit_are_refused(study, tmp_path):
    with pytest.raises(ConfigError, match="batch_size 8 is no multiple of 3"):
        sft.main(study.sft(tmp_path, micro_batch_size=3))
    with pytest.raises(ConfigError, match=r"resources\.processes is 2, but 1 were started"):
        sft.main(study.sft(tmp_path, processes=2))
    with pytest.raises(ConfigError, match="deepspeed needs torchrun for one process too"):
        sft.main(study.sft(tmp_path, deepspeed="zero2"))
    with pytest.raises(ConfigError, match="unknown key learning_rte"):
        sft.main(study.sft(tmp_path, learning_rte=1))
