"""Which examples each step, process and micro-batch sees, drawn once from the seed: a resumed run sees the same."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np

from tabpo.errors import ConfigError
from tabpo.study.training import TrainingSettings


@dataclass(frozen=True)
class BatchPlan:
    """The order of a whole run.

    Attributes:
        order: Index of an example for each place: `steps * batch_size` of them.
        examples: How many examples there are.
        batch_size: Examples of one optimiser step.
        micro_batch_size: Examples of one forward pass of one process.
        processes: Over which a step is spread; of a batch smaller than their number the last ones have no share.
    """

    order: list[int]
    examples: int
    batch_size: int
    micro_batch_size: int
    processes: int

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return len(self.order) // self.batch_size

    @property
    def accumulation(self) -> int:
        """Forward passes of one process for one step."""
        return self.batch_size // self._round

    @property
    def _round(self) -> int:
        """Examples that one forward pass of all processes takes."""
        return min(self.micro_batch_size * self.processes, self.batch_size)

    def of_step(self, step: int) -> list[int]:
        """Examples of a step (from 0), of all processes."""
        return self.order[step * self.batch_size : (step + 1) * self.batch_size]

    def pass_of(self, step: int) -> int:
        """Number of the pass over the examples (from 0) in which a step begins."""
        return step * self.batch_size // self.examples

    def of_pass(self, number: int) -> list[int]:
        """Examples of all steps that begin in a pass."""
        steps = [step for step in range(self.steps) if self.pass_of(step) == number]
        return [index for step in steps for index in self.of_step(step)]

    def longest_of_pass(self, number: int, process: int, lengths: Sequence[int]) -> list[int]:
        """The micro-batch of most tokens among those of a process in a pass, given the length of every example."""
        micro_batches = enumerate(self.micro_batches(process))
        of_pass = [one for place, one in micro_batches if self.pass_of(place // self.accumulation) == number]
        return max(of_pass, key=lambda one: sum(lengths[index] for index in one))

    def micro_batches(self, process: int) -> list[list[int]]:
        """All micro-batches of a process, in order; the examples of a step do not depend on how it is spread.

        One without a share has those of another: it must take part where processes compute together.
        """
        size = self.micro_batch_size
        starts = range(process * size % self.batch_size, len(self.order), self._round)
        return [self.order[start : start + size] for start in starts]

    def has_share(self, process: int) -> bool:
        """Whether what a process computes counts."""
        return process * self.micro_batch_size < self.batch_size


def plan_batches(
    groups: Sequence[Hashable], lengths: Sequence[int], settings: TrainingSettings, seed: int, processes: int
) -> BatchPlan:
    """One shuffled pass over the examples after the other, cut into steps of the same size.

    Within a step the longest come first, so that a micro-batch holds examples of like length and little padding, and
    a group is divided among micro-batches only where it fits into none: one forward pass reads their prompt once.
    Which examples a step has, and so its gradient, does not depend on either.

    Args:
        groups: Group of each example; examples of a group stay together (a batch's edge may still divide one).
        lengths: Of each example, in tokens.
        settings: steps or epochs, batch_size, micro_batch_size, batch_order.
        seed: Of the run.
        processes: That share each step.

    Raises:
        ConfigError: batch_size is no multiple of micro_batch_size times processes, nor smaller than the number of
            processes and shared out one by one.
    """
    share = settings.micro_batch_size * processes
    one_by_one = settings.micro_batch_size == 1 and settings.batch_size < processes
    if settings.batch_size % share and not one_by_one:
        raise ConfigError(
            f"training.batch_size {settings.batch_size} is no multiple of {share}, which is micro_batch_size"
            f" {settings.micro_batch_size} x {processes} processes"
        )
    steps = settings.steps or math.ceil(Fraction(str(settings.epochs)) * len(groups) / settings.batch_size)
    members: dict[Hashable, list[int]] = {}
    longest: dict[Hashable, int] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
        longest[group] = max(longest.get(group, 0), lengths[index])
    order: list[int] = []
    places, epoch = steps * settings.batch_size, 0
    blocks = list(members.values())
    while len(order) < places:
        shuffled = np.random.default_rng([seed, epoch, settings.batch_order]).permutation(len(blocks))
        order += [index for block in shuffled for index in blocks[block]]
        epoch += 1
    packed = []
    for start in range(0, places, settings.batch_size):
        step = sorted(order[start : start + settings.batch_size], key=lambda index: -longest[groups[index]])
        together = [list(members) for _, members in groupby(step, key=lambda index: groups[index])]
        packed += _pack(together, settings.micro_batch_size)
    return BatchPlan(packed, len(groups), settings.batch_size, settings.micro_batch_size, processes)


def _pack(together: list[list[int]], size: int) -> list[int]:
    """Fill micro-batches of `size` one after the other, each time with the first group that still fits in whole.

    Where none does, the first one is divided.
    """
    waiting, packed = list(together), []
    while waiting:
        space = size - len(packed) % size
        fitting = next((number for number, members in enumerate(waiting) if len(members) <= space), None)
        if fitting is None:
            packed += waiting[0][:space]
            waiting[0] = waiting[0][space:]
        else:
            packed += waiting.pop(fitting)
    return packed
