"""Compute the scores of a run on all documents and with each cluster of documents left out, from its file of counts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from tabpo.errors import DataError
from tabpo.metrics.names import HEADLINE, MACRO, MEANS, TOGETHER, LabelMetric
from tabpo.records import CLUSTERS, ClusterCounts, read_table
from tabpo.tables.significance import CLUSTERS_TO_MARK, Estimates, jackknife

TEXTS = ("metric", "convention", "label", "cluster")
PARTS = ("right", "predicted", "right_gold", "gold")


@dataclass(frozen=True, eq=False)
class RunEstimates:
    """The scores of one run, as the significance tests need them.

    Attributes:
        clusters: A hash of the names of the run's clusters of documents.
        metrics: The estimates of each requested metric, by its name in tables. A metric that the data set lacks has
            estimates of 0.
        gold: The number of gold items of each requested metric; of pairs for a score of pairs.
        gold_clusters: For the F1 of each label, the number of clusters that have gold items of it.
    """

    clusters: str
    metrics: dict[str, Estimates]
    gold: dict[str, float]
    gold_clusters: dict[str, int] = field(default_factory=dict)


def read_estimates(path: Path, metrics: Iterable[str], by_label: Iterable[str] = ()) -> RunEstimates:
    """Read the metrics of a run in percent (margins in nats), on all documents and without each cluster.

    Args:
        path: The run's file of counts.
        metrics: Names of metrics as tables have them.
        by_label: Metrics of which the F1 of every label with gold items, and of rare labels together, is read, too,
            under the name of a `LabelMetric`.

    Raises:
        DataError: The metadata of the file have no hash of clusters, so it is not a file of counts.
    """
    table = read_table(path, ClusterCounts, encoded=TEXTS).unify_dictionaries().combine_chunks()
    clusters = (table.schema.metadata or {}).get(CLUSTERS.encode())
    if clusters is None:
        raise DataError(f"{path}: its metadata lack the hash of its clusters; run the rule that wrote it again")
    names, convention, label, cluster = (_column(table, key) for key in TEXTS)
    parts = {name: table[name].to_numpy() for name in PARTS}

    def rows(metric: str, counted: str, labelled: bool) -> np.ndarray:
        wanted = (names.codes == names.number(metric)) & (convention.codes == convention.number(counted))
        return np.flatnonzero(wanted & ((label.codes >= 0) == labelled))

    def sums(places: np.ndarray, kinds: np.ndarray, count: int) -> np.ndarray:
        """Counts as a dense array, (1, clusters, kinds, 4)."""
        dense = np.zeros((1, len(cluster.names), count, 4))
        dense[0, cluster.codes[places], kinds] = np.stack([part[places] for part in parts.values()], axis=1)
        return dense

    estimates, gold = {}, {}
    for metric in metrics:
        name, _, counted = metric.partition("@")
        if counted == MACRO:
            places = rows(name, HEADLINE, labelled=True)
            gold[metric] = float(parts["gold"][places].sum())
            scores = jackknife(sums(places, label.codes[places], len(label.names)), macro_f1)
        else:
            members = [rows(member, counted or HEADLINE, labelled=False) for member in MEANS.get(name, (name,))]
            of_gold = [float(parts["gold"][places].sum()) for places in members]
            gold[metric] = sum(of_gold)
            members = [places for places, items in zip(members, of_gold, strict=True) if items] or members
            kinds = np.repeat(np.arange(len(members)), [len(places) for places in members])
            scores = jackknife(sums(np.concatenate(members), kinds, len(members)), mean_f1)
        scale = 1 if name.endswith("_margin") else 100
        estimates[metric] = Estimates(scale * scores.whole, scale * scores.without)
    gold_clusters = {}
    for metric in by_label:
        places = rows(metric, HEADLINE, labelled=True)
        of_labels = sums(places, label.codes[places], len(label.names))  # (1, clusters, labels, 4)
        for name, counts in _with_gold(label.names, of_labels):
            keys = {part: LabelMetric(metric, part, name).name for part in ("f1", "precision", "recall")}
            scores = jackknife(counts, f1)
            estimates[keys["f1"]] = Estimates(100 * scores.whole, 100 * scores.without)
            of_gold = counts[0, :, PARTS.index("gold")]
            gold |= dict.fromkeys(keys.values(), float(of_gold.sum()))
            gold_clusters[keys["f1"]] = int((of_gold > 0).sum())
    return RunEstimates(clusters.decode(), estimates, gold, gold_clusters)


def _with_gold(labels: Sequence[str], sums: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The labels that have gold items, with their counts (1, clusters, 4), from counts (1, clusters, labels, 4).

    Labels with gold items in too few clusters for a mark follow once more, counted together, if they are several.
    """
    clusters = np.count_nonzero(sums[0, :, :, PARTS.index("gold")], axis=0)
    for number in np.flatnonzero(clusters):
        yield labels[number], sums[:, :, number]
    rare = np.flatnonzero((clusters > 0) & (clusters < CLUSTERS_TO_MARK))
    if len(rare) > 1:
        yield TOGETHER.join(sorted(labels[number] for number in rare)), sums[:, :, rare].sum(axis=2)


def f1(sums: np.ndarray) -> np.ndarray:
    """F1 = 2PR / (P + R) of sums (..., 4) in the order of `PARTS`; 0/0 is 0.

    P is right / predicted, R is right_gold / gold. Preference pairs use the same formula: there both right counts are
    the sum of a score over pairs and the other two are the number of pairs, so the result is the mean score, which may
    be negative.
    """
    right, predicted, right_gold, gold = np.moveaxis(sums, -1, 0)
    above, below = 2 * right * right_gold, right * gold + right_gold * predicted
    return np.divide(above, below, out=np.zeros_like(below), where=below != 0)


def mean_f1(sums: np.ndarray) -> np.ndarray:
    """The mean F1 over kinds, from sums (..., kinds, 4)."""
    return f1(sums).mean(axis=-1)


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """The mean F1 over the labels that occur in gold, from sums (..., labels, 4); 0 if gold has no labels."""
    present = sums[..., 3] > 0
    return (f1(sums) * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


@dataclass(frozen=True, eq=False)
class _Column:
    """A column of names, encoded as numbers: `codes` (rows,) has the index of each name in `names`, and -1 for null."""

    names: list[str]
    codes: np.ndarray

    def number(self, name: str) -> int:
        """The code of a name; -2, which is the code of no row, if the column lacks the name."""
        return self.names.index(name) if name in self.names else -2


def _column(table: pa.Table, name: str) -> _Column:
    encoded = table[name].chunk(0)
    codes = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    return _Column(encoded.dictionary.to_pylist(), codes.to_numpy())
