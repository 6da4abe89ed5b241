"""The program `train` with every loss: it lowers the loss and writes a model."""

import pandas as pd
import pytest
from safetensors.torch import load_file

from tabpo.losses import loss_names
from workflow_scripts import train


@pytest.mark.parametrize("loss", loss_names())
def test_every_loss_trains(study, tmp_path, loss):
    train.main(study.train(tmp_path, loss=loss, steps=3, batch_size=12, warmup_steps=0))
    steps = pd.read_parquet(tmp_path / "training.parquet")
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    assert steps["chosen_logp"].notna().all()
    weights, start = load_file(tmp_path / "model/model.safetensors"), load_file(study.path("base/model.safetensors"))
    assert weights.keys() == start.keys()
