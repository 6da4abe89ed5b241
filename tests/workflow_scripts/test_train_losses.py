"""The program `train` with every loss: it lowers the loss, or says what it cannot compute yet."""

import pandas as pd
import pytest

from tabpo.errors import ConfigError
from tabpo.losses import build_loss, loss_names
from workflow_scripts import train

READ_LOGPS = [name for name in loss_names() if not build_loss(name).needs]


@pytest.mark.parametrize("loss", READ_LOGPS)
def test_every_loss_of_log_probs_trains(study, tmp_path, loss):
    train.main(study.train(tmp_path, loss=loss))
    steps = pd.read_parquet(tmp_path / "training.parquet")
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    assert steps["chosen_logp"].notna().all() and (tmp_path / "model").is_dir()


@pytest.mark.parametrize("loss", [name for name in loss_names() if name not in READ_LOGPS])
def test_a_loss_that_needs_more_is_refused_by_name(study, tmp_path, loss):
    with pytest.raises(ConfigError, match=f"{loss} needs token_kl, which training does not compute yet"):
        train.main(study.train(tmp_path, loss=loss))
