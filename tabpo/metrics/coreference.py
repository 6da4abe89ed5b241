"""Coreference of documents: MUC, B-cubed, CEAF-e and their mean, over clusters of two or more mentions.

Sums of all documents are divided, as the scorer of the CoNLL shared tasks does (Pradhan et al., ACL 2014): MUC (Vilain
et al., 1995) counts links, B-cubed (Bagga and Baldwin, 1998) mentions, CEAF-e (Luo, 2005, with phi 4) clusters, aligned
one to one so that the sum of phi is largest. Mentions are offsets; one that only one side has can be in no common
cluster. On either side a cluster of a single mention links nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tabpo.answers.clusters import mention_sets
from tabpo.answers.units import Unit
from tabpo.records import Prediction

Clusters = Sequence[set[Hashable]]


@dataclass(frozen=True, slots=True)
class Sums:
    """Of some documents: what is right and what there is, for precision and for recall; 0/0 is 0."""

    right_predicted: float
    predicted: float
    right_gold: float
    gold: float

    @property
    def precision(self) -> float:
        """0 to 1."""
        return self.right_predicted / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """0 to 1."""
        return self.right_gold / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """Right of what is predicted, predicted, right of gold, gold."""
        return self.right_predicted, self.predicted, self.right_gold, self.gold

    def shown(self) -> dict[str, float]:
        """What a file of scores says of them."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.right_predicted + other.right_predicted,
            self.predicted + other.predicted,
            self.right_gold + other.right_gold,
            self.gold + other.gold,
        )


def muc(gold: Clusters, predicted: Clusters) -> Sums:
    """Links: a cluster of n mentions has n - 1, of which those between parts that the other side splits are missing."""
    parts = [len(one & other) for one in gold for other in predicted if one & other]
    right = sum(parts) - len(parts)
    return Sums(right, sum(len(one) - 1 for one in predicted), right, sum(len(one) - 1 for one in gold))


def b_cubed(gold: Clusters, predicted: Clusters) -> Sums:
    """Mentions: for each the share of its cluster that its cluster of the other side has too."""
    shared = [(len(one & other), len(one), len(other)) for one in gold for other in predicted if one & other]
    return Sums(
        sum(both * both / size for both, _, size in shared),
        sum(map(len, predicted)),
        sum(both * both / size for both, size, _ in shared),
        sum(map(len, gold)),
    )


def ceaf_e(gold: Clusters, predicted: Clusters) -> Sums:
    """Clusters: phi 4 = 2 |K & R| / (|K| + |R|), summed over the best one-to-one alignment."""
    if not gold or not predicted:
        return Sums(0, len(predicted), 0, len(gold))
    phi = np.array([[2 * len(one & other) / (len(one) + len(other)) for other in predicted] for one in gold])
    right = float(phi[linear_sum_assignment(phi, maximize=True)].sum())
    return Sums(right, len(predicted), right, len(gold))


def coreference_sums(unit: Unit, prediction: Prediction) -> dict[str, Sums]:
    """Sums of one document by metric."""
    clusters = _gold_sets(unit), mention_sets(prediction)
    return {metric.__name__: metric(*clusters) for metric in (muc, b_cubed, ceaf_e)}


def _gold_sets(unit: Unit) -> list[set[Hashable]]:
    places = {span.id: (span.start, span.end) for span in unit.spans}
    sets = ({places[number] for number in cluster} for cluster in unit.clusters)
    return [mentions for mentions in sets if len(mentions) > 1]
