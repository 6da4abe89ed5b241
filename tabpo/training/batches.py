"""The examples of each step, process and micro-batch; all are drawn from the seed, so a resumed run repeats them."""

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
    """The order of examples in a whole run.

    Attributes:
        order: Indices of the examples in training order, `steps * batch_size` of them.
        examples: Number of distinct examples.
        batch_size: Number of examples in one optimiser step.
        micro_batch_size: Number of examples in one forward pass of one process.
        processes: Number of processes that share a step. If a batch has fewer examples, the last processes have no
            share.
    """

    order: list[int]
    examples: int
    batch_size: int
    micro_batch_size: int
    processes: int

    @property
    def steps(self) -> int:
        """Number of optimiser steps of the run."""
        return len(self.order) // self.batch_size

    @property
    def accumulation(self) -> int:
        """Number of forward passes of one process in one step."""
        return self.batch_size // self._round

    @property
    def _round(self) -> int:
        """Number of examples in one forward pass of all processes together."""
        return min(self.micro_batch_size * self.processes, self.batch_size)

    def of_step(self, step: int) -> list[int]:
        """Examples of a step (from 0) for all processes."""
        return self.order[step * self.batch_size : (step + 1) * self.batch_size]

    def pass_of(self, step: int) -> int:
        """Number of the pass over the examples (from 0) in which a step begins."""
        return step * self.batch_size // self.examples

    def of_pass(self, number: int) -> list[int]:
        """Examples of all steps that begin in a pass."""
        steps = [step for step in range(self.steps) if self.pass_of(step) == number]
        return [index for step in steps for index in self.of_step(step)]

    def longest_of_pass(self, number: int, process: int, lengths: Sequence[int]) -> list[int]:
        """The micro-batch of a process in a pass that has the most tokens, given the length of every example."""
        micro_batches = enumerate(self.micro_batches(process))
        of_pass = [batch for place, batch in micro_batches if self.pass_of(place // self.accumulation) == number]
        return max(of_pass, key=lambda batch: sum(lengths[index] for index in batch))

    def micro_batches(self, process: int) -> list[list[int]]:
        """All micro-batches of a process, in order; the examples of a step do not depend on the number of processes.

        A process without a share has the micro-batches of another process, because it must take part in joint
        computations.
        """
        size = self.micro_batch_size
        starts = range(process * size % self.batch_size, len(self.order), self._round)
        return [self.order[start : start + size] for start in starts]

    def has_share(self, process: int) -> bool:
        """Whether the results of a process count."""
        return process * self.micro_batch_size < self.batch_size


def plan_batches(
    groups: Sequence[Hashable], lengths: Sequence[int], settings: TrainingSettings, seed: int, processes: int
) -> BatchPlan:
    """Plan shuffled passes over the examples, one after another, divided into steps of the same size.

    Within a step the longest examples come first, so that a micro-batch has examples of similar length and little
    padding. A group is divided among micro-batches only if it fits into none, so that one forward pass reads the
    group's prompt once. Neither changes which examples a step has, and therefore its gradient.

    Args:
        groups: Group of each example; the examples of a group stay together, except where a step ends.
        lengths: Length of each example in tokens.
        settings: steps or epochs, batch_size, micro_batch_size and batch_order are read.
        seed: Seed of the run.
        processes: Number of processes that share each step.

    Raises:
        ConfigError: batch_size is no multiple of micro_batch_size times processes; accepted as well is a batch_size
            below the number of processes if micro_batch_size is 1.
    """
    share = settings.micro_batch_size * processes
    one_by_one = settings.micro_batch_size == 1 and settings.batch_size < processes
    if settings.batch_size % share and not one_by_one:
        raise ConfigError(
            f"training.batch_size {settings.batch_size} is no multiple of {share}, which is micro_batch_size"
            f" {settings.micro_batch_size} x {processes} processes"
        )
    steps = planned_steps(settings.steps, settings.epochs, settings.batch_size, len(groups))
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


def planned_steps(steps: int | None, epochs: float | None, batch_size: int, examples: int) -> int:
    """Return the number of steps of a run: as given, or as many as `epochs` passes take, the last one filled up."""
    return steps or math.ceil(Fraction(str(epochs)) * examples / batch_size)


def _pack(together: list[list[int]], size: int) -> list[int]:
    """Fill micro-batches of `size` in order, each time with the first group that fits completely.

    If no group fits, the first one is divided.
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
