"""Counts of right, predicted and gold items, what follows from them, and the ways of counting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
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

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """Right of what is predicted, predicted, right of gold, gold."""
        return self.tp, self.predicted, self.tp, self.gold

    def shown(self) -> dict[str, float]:
        """What a file of scores says of them."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**rates, "tp": self.tp, "predicted": self.predicted, "gold": self.gold}

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


def set_counts_by(
    label: Callable[[Hashable], str], gold: Iterable[Hashable], predicted: Iterable[tuple[Hashable, bool]]
) -> dict[str, Counts]:
    """Set counting of one unit for each label that `label` tells a key to have."""
    gold_keys: dict[str, list[Hashable]] = defaultdict(list)
    items: dict[str, list[tuple[Hashable, bool]]] = defaultdict(list)
    for key in gold:
        gold_keys[label(key)].append(key)
    for key, is_sound in predicted:
        items[label(key)].append((key, is_sound))
    return {name: set_counts(gold_keys[name], items[name]) for name in gold_keys.keys() | items.keys()}


def multiset_counts(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> Counts:
    """Each gold item is right once; what is predicted beyond that is wrong."""
    gold_keys, items = Counter(gold), Counter(predicted)
    return Counts(tp=(gold_keys & items).total(), predicted=items.total(), gold=gold_keys.total())


def list_counts(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> Counts:
    """Nothing is deduplicated: each predicted item that equals a gold one is right, however often it comes."""
    gold_keys, items = list(gold), list(predicted)
    known = set(gold_keys)
    return Counts(tp=sum(key in known for key in items), predicted=len(items), gold=len(gold_keys))
