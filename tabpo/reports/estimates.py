"""The scores of a run with each cluster of documents left out, from its file of counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabpo.errors import DataError
from tabpo.metrics.by_cluster import CLUSTERS
from tabpo.metrics.scores import CONLL, HEADLINE, MACRO
from tabpo.records import ClusterCounts, read_table
from tabpo.reports.significance import Estimates, jackknife

PARTS = ("right", "predicted", "right_gold", "gold")


@dataclass(frozen=True, eq=False)
class RunEstimates:
    """What the tests of tables need to know of a run.

    Attributes:
        clusters: Hash of the names of its clusters of documents.
        metrics: As tables name them, those that were asked for and that this data set has.
    """

    clusters: str
    metrics: dict[str, Estimates]


def read_estimates(path: Path, metrics: Iterable[str]) -> RunEstimates:
    """The metrics of a run, in percent (a margin in nats), whole and without each cluster.

    Raises:
        DataError: The file is no file of counts.
    """
    table = read_table(path, ClusterCounts)
    clusters = (table.schema.metadata or {}).get(CLUSTERS.encode())
    if clusters is None:
        raise DataError(f"{path}: its metadata lack the hash of its clusters; run the rule that wrote it again")
    names, convention, label = (_column(table, key) for key in ("metric", "convention", "label"))
    cluster = _column(table, "cluster")
    parts = np.stack([table[name].to_numpy() for name in PARTS], axis=1)

    def rows(metric: str, counted: str, labelled: bool) -> np.ndarray:
        wanted = (names.codes == names.number(metric)) & (convention.codes == convention.number(counted))
        return np.flatnonzero(wanted & ((label.codes >= 0) == labelled))

    def sums(found: np.ndarray, kinds: np.ndarray, count: int) -> np.ndarray:
        """(1, clusters, kinds, 4)."""
        dense = np.zeros((1, len(cluster.names), count, 4))
        dense[0, cluster.codes[found], kinds] = parts[found]
        return dense

    estimates = {}
    for metric in metrics:
        name, _, counted = metric.partition("@")
        if counted == MACRO:
            found = rows(name, HEADLINE, labelled=True)
            one = jackknife(sums(found, label.codes[found], len(label.names)), macro_f1)
        else:
            of = CONLL if name == "conll" else (name,)
            found = [rows(one, counted or HEADLINE, labelled=False) for one in of]
            kinds = np.repeat(np.arange(len(of)), [len(one) for one in found])
            one = jackknife(sums(np.concatenate(found), kinds, len(of)), mean_f1)
        scale = 1 if name.endswith("_margin") else 100
        estimates[metric] = Estimates(scale * one.whole, scale * one.without)
    return RunEstimates(clusters.decode(), estimates)


def f1(sums: np.ndarray) -> np.ndarray:
    """F1 of (..., 4) sums, right of predicted, predicted, right of gold and gold: 2PR/(P + R), 0/0 is 0.

    Where right, predicted and gold are a sum over pairs and twice their number, it is the mean, whatever its sign.
    """
    right, predicted, right_gold, gold = np.moveaxis(sums, -1, 0)
    above, below = 2 * right * right_gold, right * gold + right_gold * predicted
    return np.divide(above, below, out=np.zeros_like(below), where=below != 0)


def mean_f1(sums: np.ndarray) -> np.ndarray:
    """Mean over kinds of (..., kinds, 4)."""
    return f1(sums).mean(axis=-1)


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """Mean over the labels that gold has, of (..., labels, 4); 0 where it has none."""
    present = sums[..., 3] > 0
    return (f1(sums) * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


@dataclass(frozen=True, eq=False)
class _Column:
    """A column of names as numbers; null is -1, a name that the column lacks has a number of no row."""

    names: list[str]
    codes: np.ndarray

    def number(self, name: str) -> int:
        return self.names.index(name) if name in self.names else -2


def _column(table: pa.Table, name: str) -> _Column:
    encoded = pc.dictionary_encode(table[name].combine_chunks())
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _Column(encoded.dictionary.to_pylist(), codes)
