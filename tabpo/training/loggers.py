"""Optional live logging of a run to TensorBoard or Weights & Biases; this module loads no torch."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabpo.errors import ConfigError

LOGGERS = ("none", "tensorboard", "wandb")
"""Accepted values of a study's key `logging`; the last two are names of optional packages."""

LogStep = Callable[[int, Mapping[str, float]], None]
"""A function that logs the quantities of a step by name."""


def check_logger(name: str) -> None:
    """Refuse a logger whose package is not installed.

    Raises:
        ConfigError: The message says how to install it.
    """
    if name != "none" and find_spec(name) is None:
        raise ConfigError(f"logging is {name}, but that package is not installed: pip install {name}, or logging: none")


def silent(step: int, quantities: Mapping[str, float]) -> None:
    """Log nothing."""


@contextmanager
def open_logger(name: str, folder: Path, key: str, settings: Mapping[str, Any], done: int) -> Iterator[LogStep]:
    """Open a logger and give the function that logs the quantities of a run.

    Args:
        name: One of `LOGGERS`.
        folder: Folder for the files of this run only.
        key: From `checkpoints.run_key`; a resumed run continues under this id in Weights & Biases.
        settings: The settings in run.yaml, which Weights & Biases shows beside the curves.
        done: Number of steps that a resumed run has done; later steps are logged again.

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


def _tensorboard(folder: Path, done: int) -> Iterator[LogStep]:
    from torch.utils.tensorboard import SummaryWriter  # needs tensorboard, and takes a second to load

    if not done:
        shutil.rmtree(folder, ignore_errors=True)  # files of an earlier run
    with SummaryWriter(str(folder), purge_step=done + 1) as writer:

        def log_step(step: int, quantities: Mapping[str, float]) -> None:
            for quantity, value in quantities.items():
                writer.add_scalar(quantity, value, step)

        yield log_step


def _wandb(folder: Path, key: str, settings: Mapping[str, Any]) -> Iterator[LogStep]:
    """Send quantities, settings and versions of packages; console output, code and system statistics are not sent."""
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
