"""Calls of TensorBoard and Weights & Biases, with stand-ins that have the documented interfaces."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tabpo.errors import ConfigError
from tabpo.training import loggers
from tabpo.training.loggers import check_logger, open_logger, silent

SETTINGS = {"dataset": "own", "model": "tiny", "method": {"name": "dpo"}, "seed": 3}


@pytest.fixture
def calls(monkeypatch):
    """The calls of both packages, in order."""
    seen = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            seen.append(("open", folder, purge_step))

        def add_scalar(self, name, value, step):
            seen.append((name, value, step))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append("closed")

    class Session(SummaryWriter):
        def __init__(self, **arguments):
            seen.append(arguments)

        def log(self, quantities, step):
            seen.append((quantities, step))

    tensorboard, wandb = ModuleType("torch.utils.tensorboard"), ModuleType("wandb")
    tensorboard.SummaryWriter = SummaryWriter
    wandb.init, wandb.Settings = Session, lambda **settings: settings
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", tensorboard)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setattr(loggers, "find_spec", lambda name: SimpleNamespace())
    return seen


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"logging is {name}, but that package is not installed: pip install {name}"):
        check_logger(name)
    with pytest.raises(ConfigError, match="is not installed"), open_logger(name, tmp_path, "key", SETTINGS, 0):
        pass
    check_logger("none")


def test_tensorboard_receives_each_quantity(calls, tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events/of an earlier run").touch()
    with open_logger("tensorboard", tmp_path / "events", "key", SETTINGS, 0) as log_step:
        log_step(1, {"loss": 0.5, "margin": 0.25})
    assert calls == [("open", str(tmp_path / "events"), 1), ("loss", 0.5, 1), ("margin", 0.25, 1), "closed"]
    assert not (tmp_path / "events").exists()


def test_a_resumed_run_purges_the_logs_of_later_steps(calls, tmp_path):
    (tmp_path / "before").touch()
    with open_logger("tensorboard", tmp_path, "key", SETTINGS, 4):
        pass
    assert calls[0] == ("open", str(tmp_path), 5) and (tmp_path / "before").exists()


def test_wandb_receives_only_quantities_and_settings(calls, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    with open_logger("wandb", tmp_path / "events", "0123456789ab", SETTINGS, 4) as log_step:
        log_step(5, {"loss": 0.5})
    assert calls[1:] == [({"loss": 0.5}, 5), "closed"]
    started = calls[0]
    assert (started["project"], started["name"]) == ("tabpo", "own/tiny/dpo/seed3")
    assert (started["id"], started["resume"], started["config"]) == ("0123456789ab", "allow", SETTINGS)
    assert started["dir"] == str(tmp_path / "events") and (tmp_path / "events").is_dir()
    assert (started["settings"]["console"], started["settings"]["disable_git"]) == ("off", True)


def test_without_a_logger_nothing_is_logged(tmp_path):
    with open_logger("none", tmp_path / "events", "key", SETTINGS, 0) as log_step:
        assert log_step is silent
    assert not (tmp_path / "events").exists()
