"""The program that checks a loss without a study."""

import pytest

from tabpo import losses
from tabpo.errors import ConfigError
from workflow_scripts import check_loss

MINE = '''"""Mine."""

from dataclasses import dataclass
from typing import ClassVar

from tabpo.losses import LossOutput, Side
from tabpo.losses._ranges import Positive


@dataclass(frozen=True)
class Loss:
    """The margin."""

    beta: Positive = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        margin = self.beta * (chosen.log_ratio_sum - rejected.log_ratio_sum)
        return LossOutput(-margin, chosen.log_ratio_sum, rejected.log_ratio_sum)
'''


@pytest.fixture
def write_loss(tmp_path, monkeypatch):
    """Return a function that writes a loss as a module that the program can import."""
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text)


def test_a_correct_new_loss_passes(write_loss, capsys):
    write_loss("mine_kept", MINE)
    check_loss.main(["mine_kept", "--params", '{"beta": 0.5}'])
    out = capsys.readouterr().out
    assert out == "mine_kept: keeps its contract on 20 batches of synthetic pairs in float32 and float64\n"


def test_a_loss_that_averages_is_refused_with_its_file(write_loss):
    write_loss("mine_averaged", MINE.replace("LossOutput(-margin,", "LossOutput(-margin.mean(),"))
    with pytest.raises(ConfigError, match=r"^tabpo/losses/mine_averaged\.py: losses is a tensor of shape \(\) of "):
        check_loss.main(["mine_averaged"])


def test_hyperparameters_are_checked_too():
    with pytest.raises(ConfigError, match="dpo: beta must be a number above 0, got -1"):
        check_loss.main(["dpo", "--params", '{"beta": -1}'])
