"""Which state of a run becomes its model: the last one, or the one that was best on held-out prompts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from torch import Tensor
from transformers import Trainer
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from tabpo.artefacts import link_or_copy, whole_file, write_json
from tabpo.training.baseline import without_baseline

MEASURES = {"nll": min, "f1": max, "reward_accuracy": max}
"""Nats per completion token of gold answers, F1 of greedy ones, share of preferences; which end is the better one."""

BEST = "best.pt"
"""The weights of the best point, in the folder of the run's checkpoints and in each of them."""


def trained_weights(trainer: Trainer) -> dict[str, Tensor]:
    """What is trained, whole: all weights, or the adapters; without a baseline head.

    Where weights are divided among processes, all must ask; the first alone is told.
    """
    model, first = trainer.model, trainer.args.process_index == 0
    state = _gathered(trainer, first) if is_deepspeed_zero3_enabled() else model.state_dict()
    if not first:
        return {}
    if isinstance(model, PeftModel):
        return get_peft_model_state_dict(model, state_dict=state)
    return without_baseline(state)


def _gathered(trainer: Trainer, first: bool) -> dict[str, Tensor]:
    """What is trained of a divided model, one parameter after the other: below adapters nothing has to be gathered."""
    import deepspeed  # a second to load

    optimizer, state = trainer.model_wrapped.optimizer, {}
    optimizer.checkpoint_event_prologue()  # parameters that it fetches ahead cannot be gathered
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad:
            with deepspeed.zero.GatheredParameters(parameter):
                if first:
                    state[name] = parameter.detach().to("cpu", copy=True)
    optimizer.checkpoint_event_epilogue()
    return state


@dataclass(frozen=True)
class Point:
    """A measurement on the held-out prompts.

    Attributes:
        step: Optimiser steps done.
        epoch: Passes over the examples done.
        value: Of the curve's measure.
    """

    step: int
    epoch: float
    value: float


class Curve:
    """The course of a run on held-out prompts; its best weights so far, where they may be what is kept.

    One rule for every run: `dev_best` is the best point, the first of equal ones. The file of its weights is replaced
    and never written to, so that a checkpoint can share it.

    Attributes:
        points: In order of steps.
    """

    def __init__(self, measure: str, keep: str, folder: Path):
        """Which of `MEASURES`, `training.keep`, and where the run's checkpoints are."""
        self.measure, self.keep = measure, keep
        self.points: list[Point] = []
        self._file = folder / BEST

    @property
    def best(self) -> Point:
        """Of at least one point."""
        return MEASURES[self.measure](self.points, key=lambda point: point.value)

    @property
    def kept(self) -> Point:
        """The point whose weights become the model."""
        return self.points[-1] if self.keep == "last" else self.best

    def add(self, point: Point) -> bool:
        """Take a point; whether its weights are to be put aside."""
        self.points.append(point)
        return self.keep == "dev_best" and self.best is point

    def put_aside(self, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights of the best point in the place of those before."""
        with whole_file(self._file) as partial:
            torch.save(dict(weights), partial)

    def weights(self) -> dict[str, Tensor]:
        """Those that were put aside."""
        return torch.load(self._file, map_location="cpu", weights_only=True)

    def write_state(self, checkpoint: Path) -> None:
        """Write what a resumed run goes on from."""
        write_json(checkpoint / "curve.json", [vars(point) for point in self.points])
        if self.points and self.keep == "dev_best":
            link_or_copy(self._file, checkpoint / BEST)

    def read_state(self, checkpoint: Path) -> None:
        """Read it again; weights that were put aside after the checkpoint are gone."""
        self.points = [Point(**point) for point in json.loads((checkpoint / "curve.json").read_text())]
        if self.points and self.keep == "dev_best":
            with whole_file(self._file) as partial:
                link_or_copy(checkpoint / BEST, partial)

    @property
    def content(self) -> dict[str, Any]:
        """What `selection.json` holds: both choices, whichever was taken."""
        return {
            "keep": self.keep,
            "measure": self.measure,
            "curve": [vars(point) for point in self.points],
            "last": vars(self.points[-1]),
            "dev_best": vars(self.best),
        }

    def __str__(self) -> str:
        """Both choices in a line of the log, which may leave: no value, which may be a share of few pairs."""
        last, best = self.points[-1], self.best
        return f"kept: {self.keep}; last step: {last.step}, best {self.measure} on dev_select: step {best.step}"
