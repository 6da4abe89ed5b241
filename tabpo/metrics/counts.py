"""Counts of right, predicted and gold items, the scores that follow from them, and ways of counting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of right, predicted and gold items of some units; summed counts give micro scores. 0/0 is 0."""

    tp: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Right items divided by predicted items, 0 to 1."""
        return self.tp / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Right items divided by gold items, 0 to 1; can exceed 1 if a convention counts repeated predictions."""
        return self.tp / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (self.predicted + self.gold) if self.predicted + self.gold else 0.0

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """Right predicted items, predicted items, right gold items, gold items."""
        return self.tp, self.predicted, self.tp, self.gold

    def shown(self) -> dict[str, float]:
        """Return the values that a file of scores holds."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**rates, "tp": self.tp, "predicted": self.predicted, "gold": self.gold}

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.predicted + other.predicted, self.gold + other.gold)


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sum; without any counts it is Counts(0, 0, 0)."""
    return sum(counts, start=Counts(0, 0, 0))


def set_counts(gold: Iterable[Hashable], predicted: Iterable[tuple[Hashable, bool]]) -> Counts:
    """Count one unit by sets: equal keys count once on either side, and tp is the size of gold & sound.

    Args:
        gold: One key per gold item.
        predicted: For each predicted item its key, and whether the item is sound. A key that only faulty items have
            counts as predicted but is never right.
    """
    items = set(predicted)
    sound = {key for key, is_sound in items if is_sound}
    gold_keys = set(gold)
    return Counts(tp=len(gold_keys & sound), predicted=len({key for key, _ in items}), gold=len(gold_keys))


def set_counts_by(
    label: Callable[[Hashable], str], gold: Iterable[Hashable], predicted: Iterable[tuple[Hashable, bool]]
) -> dict[str, Counts]:
    """Count one unit by sets, separately for each label; `label` gives the label of a key."""
    gold_keys: dict[str, list[Hashable]] = defaultdict(list)
    items: dict[str, list[tuple[Hashable, bool]]] = defaultdict(list)
    for key in gold:
        gold_keys[label(key)].append(key)
    for key, is_sound in predicted:
        items[label(key)].append((key, is_sound))
    return {name: set_counts(gold_keys[name], items[name]) for name in gold_keys.keys() | items.keys()}


def multiset_counts(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> Counts:
    """Count each gold item as right at most once; further equal predictions are wrong."""
    gold_keys, items = Counter(gold), Counter(predicted)
    return Counts(tp=(gold_keys & items).total(), predicted=items.total(), gold=gold_keys.total())


def list_counts(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> Counts:
    """Count without removing duplicates: each predicted item that equals a gold item is right."""
    gold_keys, items = list(gold), list(predicted)
    known = set(gold_keys)
    return Counts(tp=sum(key in known for key in items), predicted=len(items), gold=len(gold_keys))
