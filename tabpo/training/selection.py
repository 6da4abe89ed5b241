"""Selection of the weights that become a run's model: those of the last step, or the best on held-out prompts."""

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
"""Measures on held-out prompts and whether less or more is better: nats per completion token of gold answers, F1 of
greedy answers, share of correctly ranked preferences."""

BEST = "best.pt"
"""Name of the file with the weights of the best point, in the folder of the checkpoints and in each checkpoint."""


def trained_weights(trainer: Trainer) -> dict[str, Tensor]:
    """The complete trained weights: all weights of the model, or only the adapters; without a baseline head.

    All processes must call this function, because weights may be divided among them; only the first process gets the
    weights, the others get an empty dictionary.
    """
    model, first = trainer.model, trainer.args.process_index == 0
    state = _gathered(trainer, first) if is_deepspeed_zero3_enabled() else model.state_dict()
    if not first:
        return {}
    if isinstance(model, PeftModel):
        return get_peft_model_state_dict(model, state_dict=state)
    return without_baseline(state)


def _gathered(trainer: Trainer, first: bool) -> dict[str, Tensor]:
    """The trained parameters of a divided model, gathered one by one; frozen weights are not gathered."""
    import deepspeed  # takes a second to load

    optimizer, state = trainer.model_wrapped.optimizer, {}
    optimizer.checkpoint_event_prologue()  # ends prefetching, because prefetched parameters cannot be gathered
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
        step: Number of optimiser steps done.
        epoch: Number of passes over the examples done.
        value: Value of the curve's measure.
    """

    step: int
    epoch: float
    value: float


class Curve:
    """The measurements of a run on held-out prompts, and the best weights so far if they may be selected.

    All runs follow one rule: `dev_best` is the best point, or the first of several equally good ones. The file of its
    weights is always replaced and never changed, so that a checkpoint can hold a hard link to it.

    Attributes:
        points: The measurements in the order of steps.
    """

    def __init__(self, measure: str, keep: str, folder: Path):
        """`measure` is one of `MEASURES`, `keep` is `training.keep`, and `folder` holds the run's checkpoints."""
        self.measure, self.keep = measure, keep
        self.points: list[Point] = []
        self._file = folder / BEST

    @property
    def best(self) -> Point:
        """The best point; there must be at least one point."""
        return MEASURES[self.measure](self.points, key=lambda point: point.value)

    @property
    def kept(self) -> Point:
        """The point whose weights become the model."""
        return self.points[-1] if self.keep == "last" else self.best

    def add(self, point: Point) -> bool:
        """Add a point; returns whether its weights must be saved with `put_aside`."""
        self.points.append(point)
        return self.keep == "dev_best" and self.best is point

    def put_aside(self, weights: Mapping[str, Tensor]) -> None:
        """Save the weights of the best point and drop the previous ones."""
        with whole_file(self._file) as partial:
            torch.save(dict(weights), partial)

    def weights(self) -> dict[str, Tensor]:
        """The weights that `put_aside` has saved."""
        return torch.load(self._file, map_location="cpu", weights_only=True)

    def write_state(self, checkpoint: Path) -> None:
        """Write the state that a resumed run needs."""
        write_json(checkpoint / "curve.json", [vars(point) for point in self.points])
        if self.points and self.keep == "dev_best":
            link_or_copy(self._file, checkpoint / BEST)

    def read_state(self, checkpoint: Path) -> None:
        """Restore the state from `write_state`; weights that were saved after the checkpoint are dropped."""
        self.points = [Point(**point) for point in json.loads((checkpoint / "curve.json").read_text())]
        if self.points and self.keep == "dev_best":
            with whole_file(self._file) as partial:
                link_or_copy(checkpoint / BEST, partial)

    @property
    def content(self) -> dict[str, Any]:
        """The content of `selection.json`: both choices, whichever is used."""
        return {
            "keep": self.keep,
            "measure": self.measure,
            "curve": [vars(point) for point in self.points],
            "last": vars(self.points[-1]),
            "dev_best": vars(self.best),
        }

    def __str__(self) -> str:
        """Both choices as a line for the log; it has no values, because logs may be shared and groups may be small."""
        last, best = self.points[-1], self.best
        return f"kept: {self.keep}; last step: {last.step}, best {self.measure} on dev_select: step {best.step}"
