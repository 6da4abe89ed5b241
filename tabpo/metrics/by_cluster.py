"""Sum the counts of each cluster of documents; the significance tests of tables resample these clusters.

Documents that must stay in one split, such as all documents of a patient or of a thread, form a cluster. A document
without such a group is a cluster by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit
from tabpo.artefacts import sha256_text
from tabpo.metrics.diversity import sample_counts
from tabpo.metrics.names import HEADLINE
from tabpo.metrics.scores import UnitCounts
from tabpo.metrics.validity import validity_counts
from tabpo.records import CLUSTERS, ClusterCounts, Document, Prediction, Prompt, Reference


def cluster_counts(
    documents: Iterable[Document],
    units: Sequence[Unit],
    by_unit: Sequence[UnitCounts],
    predictions: Sequence[Prediction],
) -> list[ClusterCounts]:
    """Sum the counts of each cluster, by metric, convention and label; rows of zeros are left out.

    For the shares of `validity_counts`, the right items are the numerator, predicted and gold items the denominator.
    """
    groups = {document.doc_id: document.group_id or document.doc_id for document in documents}
    clusters = [groups[unit.doc_id] for unit in units]
    parts = ({key: counts.parts for key, counts in row.items()} for row in by_unit)
    valid = (
        {(name, HEADLINE, None): 2 * share for name, share in validity_counts(unit, prediction).items()}
        for unit, prediction in zip(units, predictions, strict=True)
    )
    return summed_by_cluster(chain(zip(clusters, parts, strict=True), zip(clusters, valid, strict=True)))


def sampled_counts(
    documents: Iterable[Document], units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> list[ClusterCounts]:
    """Sum the counts of `sample_counts` in each cluster; `predictions` has the samples of each unit in a row."""
    groups = {document.doc_id: document.group_id or document.doc_id for document in documents}
    each = len(predictions) // len(units)
    rows = (
        (groups[unit.doc_id], sample_counts(unit, predictions[each * number : each * (number + 1)], ontology))
        for number, unit in enumerate(units)
    )
    return summed_by_cluster(
        (cluster, {(name, HEADLINE, None): parts for name, parts in counts.items()}) for cluster, counts in rows
    )


def pair_counts(
    prompts: Iterable[Prompt], pairs: Sequence[Reference], scores: Sequence[Mapping[str, float]]
) -> list[ClusterCounts]:
    """Sum the scores of preference pairs in each cluster.

    The right items are the sums of a score over pairs, and the predicted and gold items are the numbers of pairs.
    """
    groups = {prompt.prompt_id: prompt.doc_id for prompt in prompts}
    clusters = (groups[pair.pair_id.rpartition("/")[0]] for pair in pairs)
    parts = (
        {(name, HEADLINE, None): (value, 1, value, 1) for name, value in pair_scores.items()} for pair_scores in scores
    )
    return summed_by_cluster(zip(clusters, parts, strict=True))


def summed_by_cluster(
    rows: Iterable[tuple[str, Mapping[tuple[str, str, str | None], Sequence[float]]]],
) -> list[ClusterCounts]:
    """Sum rows by cluster, metric, convention and label.

    Args:
        rows: (cluster, {(metric, convention, label): (right predicted, predicted, right gold, gold)}).
    """
    sums: dict[tuple, np.ndarray] = {}
    for cluster, counts in rows:
        for key, parts in counts.items():
            if any(parts):
                sums[cluster, *key] = sums.get((cluster, *key), 0) + np.array(parts, dtype=float)
    ordered = sorted(sums.items(), key=lambda item: (*item[0][:3], item[0][3] or ""))
    return [ClusterCounts(*key, *map(float, parts)) for key, parts in ordered]


def clusters_metadata(counts: Iterable[ClusterCounts]) -> dict[str, str]:
    """Return the metadata of a file of counts."""
    return {CLUSTERS: sha256_text("\n".join(sorted({row.cluster for row in counts})))}
