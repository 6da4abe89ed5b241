"""The program `sft`, as its rule calls it."""

import json

import pandas as pd
import yaml

from workflow_scripts import sft


def test_outputs_are_whole_and_explicit(study, tmp_path):
    sft.main(study.sft(tmp_path))
    run = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert run["method"] == {"name": "sft"}
    assert run["training"]["adam_beta1"] == 0.9
    assert str(tmp_path) not in (tmp_path / "run.yaml").read_text()
    steps = pd.read_parquet(tmp_path / "training.parquet")
    assert steps["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert "tabpo.training.sft" in provenance["code"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model",
        "provenance.json",
        "run.yaml",
        "timing.parquet",
        "training.parquet",
    ]
