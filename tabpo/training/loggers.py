"""What a run logs, told to TensorBoard or Weights & Biases as it goes, where a study asks for it; loads no torch."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabpo.errors import ConfigError

LOGGERS = ("none", "tensorboard", "wandb")
"""What the key `logging` of a study takes; the last two are names of packages that nothing else needs."""

Tell = Callable[[int, Mapping[str, float]], None]
"""Takes a step and quantities by name."""


def check_logger(name: str) -> None:
    """Refuse a logger whose package is not there.

    Raises:
        ConfigError: Says how to have it.
    """
    if name != "none" and find_spec(name) is None:
        raise ConfigError(f"logging is {name}, but that package is not installed: pip install {name}, or logging: none")


def silent(step: int, quantities: Mapping[str, float]) -> None:
    """Tell nobody."""


@contextmanager
def telling(name: str, folder: Path, key: str, settings: Mapping[str, Any], done: int) -> Iterator[Tell]:
    """Gives what takes the quantities of a run while its context is open.

    Args:
        name: One of `LOGGERS`.
        folder: For the files of this run alone.
        key: From `checkpoints.run_key`: a run that goes on is the same one to Weights & Biases.
        settings: As in run.yaml; Weights & Biases shows them beside the curves.
        done: Steps that a run which goes on has done; it tells of later ones once more.

    Raises:
        ConfigError: From `check_logger`.
    """
    check_logger(name)
    if name == "tensorboard":
        yield from _tensorboard(folder, done)
    elif name == "wandb":
        yield from _wandb(folder, key, settings)
    else:
        yield silent


def _tensorboard(folder: Path, done: int) -> Iterator[Tell]:
    from torch.utils.tensorboard import SummaryWriter  # needs tensorboard, and takes a second to load

    if not done:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run in this place
    with SummaryWriter(str(folder), purge_step=done + 1) as writer:

        def tell(step: int, quantities: Mapping[str, float]) -> None:
            for quantity, value in quantities.items():
                writer.add_scalar(quantity, value, step)

        yield tell


def _wandb(folder: Path, key: str, settings: Mapping[str, Any]) -> Iterator[Tell]:
    """Quantities, settings and versions of packages leave the machine; no console, code or figures of the system."""
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "tabpo"),
        name="/".join([settings["dataset"], settings["model"], settings["method"]["name"], f"seed{settings['seed']}"]),
        id=key,
        resume="allow",
        config=dict(settings),
        dir=str(folder),
        settings=wandb.Settings(
            console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
        ),
    )
    with run:
        yield lambda step, quantities: run.log(dict(quantities), step=step)
