"""How many jobs of a call are done, run, wait and have failed, and how long the rest may take."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta


class JobCounts:
    """The jobs of one call. A job has a number, which is unique in the call, and a kind, the name of its rule.

    Times are seconds of any one clock.
    """

    def __init__(self, planned: Mapping[str, int]):
        """Args: planned: The number of jobs of each kind."""
        self._total = sum(planned.values())
        self._not_begun = Counter(planned)
        self._running: dict[int, tuple[str, float]] = {}
        self._failed: set[int] = set()
        self._done: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def begin(self, number: int, kind: str, now: float) -> None:
        """Count a job that has been started or given to a scheduler, for the first time or again."""
        if number not in self._failed and number not in self._running:
            self._not_begun[kind] -= 1
        self._failed.discard(number)
        self._running[number] = kind, now

    def finish(self, number: int, now: float) -> None:
        """Count a job that has succeeded."""
        kind, begun = self._running.pop(number)
        self._done[kind] += 1
        self._seconds[kind] += now - begun

    def fail(self, number: int) -> None:
        """Count a job that has failed; `begin` takes it back."""
        self._running.pop(number, None)
        self._failed.add(number)

    def describe(self, now: float) -> str:
        """Return one line about all jobs.

        The time left is the mean time of the finished jobs of each kind, summed over the jobs that run or wait and
        divided by the number of jobs that run. Kinds of which no job is finished are left out of the sum; the line
        then says "more than". It names no time before the first job is finished or while no job runs.
        """
        mean = {kind: self._seconds[kind] / number for kind, number in self._done.items()}
        waiting = +self._not_begun
        running = [max(mean[kind] - now + begun, 0.0) for kind, begun in self._running.values() if kind in mean]
        seconds = sum(running) + sum(mean[kind] * number for kind, number in waiting.items() if kind in mean)
        known = {*waiting, *(kind for kind, _ in self._running.values())} <= set(mean)
        parts = [
            f"{self._done.total()} of {self._total} jobs done",
            f"{len(self._running)} run",
            f"{waiting.total()} wait",
            f"{len(self._failed)} failed",
        ]
        if mean and self._running:
            left = timedelta(seconds=round(seconds / len(self._running)))
            parts.append(f"{'about' if known else 'more than'} {left} left")
        return ", ".join(parts)
