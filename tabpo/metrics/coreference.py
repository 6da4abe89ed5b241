"""Coreference of documents: MUC, B-cubed, CEAF-e and their mean, over clusters of two or more mentions.

Sums over all documents are divided, as the scorer of the CoNLL shared tasks does (Pradhan et al., ACL 2014). MUC
(Vilain et al., 1995) counts links, B-cubed (Bagga and Baldwin, 1998) counts mentions, and CEAF-e (Luo, 2005, with phi
4) counts clusters, aligned one to one so that the sum of phi is largest. A mention is a pair of offsets; one that only
gold or only the prediction has is in no common cluster. A cluster with a single mention links nothing and is left out,
in gold and in the prediction.
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
    """Sums over some documents: right and predicted items for precision, right and gold items for recall; 0/0 is 0."""

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
        """Right predicted items, predicted items, right gold items, gold items."""
        return self.right_predicted, self.predicted, self.right_gold, self.gold

    def shown(self) -> dict[str, float]:
        """Return the values that a file of scores holds."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.right_predicted + other.right_predicted,
            self.predicted + other.predicted,
            self.right_gold + other.right_gold,
            self.gold + other.gold,
        )


def muc(gold: Clusters, predicted: Clusters) -> Sums:
    """Count links.

    A cluster of n mentions has n - 1 links. A link is right if the other side does not split the cluster there.
    """
    parts = [len(cluster & other) for cluster in gold for other in predicted if cluster & other]
    right = sum(parts) - len(parts)
    return Sums(right, sum(len(cluster) - 1 for cluster in predicted), right, sum(len(cluster) - 1 for cluster in gold))


def b_cubed(gold: Clusters, predicted: Clusters) -> Sums:
    """Count mentions, each by the share of its cluster that is also in its cluster on the other side."""
    shared = [
        (len(cluster & other), len(cluster), len(other)) for cluster in gold for other in predicted if cluster & other
    ]
    return Sums(
        sum(both * both / size for both, _, size in shared),
        sum(map(len, predicted)),
        sum(both * both / size for both, size, _ in shared),
        sum(map(len, gold)),
    )


def ceaf_e(gold: Clusters, predicted: Clusters) -> Sums:
    """Count clusters: phi 4 = 2 |K & R| / (|K| + |R|), summed over the best one-to-one alignment."""
    if not gold or not predicted:
        return Sums(0, len(predicted), 0, len(gold))
    phi = np.array(
        [[2 * len(cluster & other) / (len(cluster) + len(other)) for other in predicted] for cluster in gold]
    )
    right = float(phi[linear_sum_assignment(phi, maximize=True)].sum())
    return Sums(right, len(predicted), right, len(gold))


def coreference_sums(unit: Unit, prediction: Prediction) -> dict[str, Sums]:
    """Return the sums of one document by metric."""
    clusters = _gold_sets(unit), mention_sets(prediction)
    return {metric.__name__: metric(*clusters) for metric in (muc, b_cubed, ceaf_e)}


def _gold_sets(unit: Unit) -> list[set[Hashable]]:
    places = {span.id: (span.start, span.end) for span in unit.spans}
    sets = ({places[number] for number in cluster} for cluster in unit.clusters)
    return [mentions for mentions in sets if len(mentions) > 1]
