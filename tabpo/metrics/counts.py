"""Counts of right, predicted and gold items, what follows from them, and set counting."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Right, predicted and gold items of some units; sums of counts are micro scores. 0/0 is 0."""

    tp: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Right of all predicted, 0 to 1."""
        return self.tp / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Right of all gold, 0 to 1; conventions that count a repeated prediction twice can exceed 1."""
        return self.tp / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (self.predicted + self.gold) if self.predicted + self.gold else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.predicted + other.predicted, self.gold + other.gold)


def total(counts: Iterable[Counts]) -> Counts:
    """The sum; no counts at all are Counts(0, 0, 0)."""
    return sum(counts, start=Counts(0, 0, 0))


def set_counts(gold: Iterable[Hashable], predicted: Iterable[tuple[Hashable, bool]]) -> Counts:
    """Set counting of one unit: equal keys count once on either side, TP = |gold & right|.

    Args:
        gold: A key per gold item.
        predicted: For each predicted item its key, and whether the item is sound. A key that only faulty items
            have counts as predicted and is never right.
    """
    items = set(predicted)
    sound = {key for key, is_sound in items if is_sound}
    gold_keys = set(gold)
    return Counts(tp=len(gold_keys & sound), predicted=len({key for key, _ in items}), gold=len(gold_keys))
