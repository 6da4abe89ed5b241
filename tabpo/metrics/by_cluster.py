"""Counts of each cluster of documents: what the tests of tables leave out one by one.

A cluster is a patient, a thread, whatever must not straddle splits; a document where nothing is known of such groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from tabpo.answers.units import Unit
from tabpo.artefacts import sha256_text
from tabpo.metrics.scores import HEADLINE, UnitCounts
from tabpo.records import ClusterCounts, Document, Prediction, Prompt, Reference

CLUSTERS = "clusters"
"""Key of a file's metadata: the hash of the sorted names of its clusters."""


def cluster_counts(
    documents: Iterable[Document],
    units: Sequence[Unit],
    by_unit: Sequence[UnitCounts],
    predictions: Sequence[Prediction],
) -> list[ClusterCounts]:
    """The sums of each cluster that has units, by cluster, metric, convention and label; rows of zeros are left out.

    `valid` has readable answers for what is right, and prompts for what is predicted and gold.
    """
    groups = {document.doc_id: document.group_id or document.doc_id for document in documents}
    clusters = [groups[unit.doc_id] for unit in units]
    parts = ({key: counts.parts for key, counts in row.items()} for row in by_unit)
    valid = (
        {("valid", HEADLINE, None): (one.answer_class == "ok", 1, one.answer_class == "ok", 1)} for one in predictions
    )
    return summed_by_cluster(chain(zip(clusters, parts, strict=True), zip(clusters, valid, strict=True)))


def pair_counts(
    prompts: Iterable[Prompt], pairs: Sequence[Reference], scores: Sequence[Mapping[str, float]]
) -> list[ClusterCounts]:
    """The same of preferences: sums of a score over pairs for what is right, pairs for what is predicted and gold."""
    groups = {prompt.prompt_id: prompt.doc_id for prompt in prompts}
    clusters = (groups[pair.pair_id.rpartition("/")[0]] for pair in pairs)
    parts = ({(name, HEADLINE, None): (value, 1, value, 1) for name, value in one.items()} for one in scores)
    return summed_by_cluster(zip(clusters, parts, strict=True))


def summed_by_cluster(
    rows: Iterable[tuple[str, Mapping[tuple[str, str, str | None], Sequence[float]]]],
) -> list[ClusterCounts]:
    """The sums of what (cluster, {(metric, convention, label): right, predicted, right of gold, gold}) adds."""
    sums: dict[tuple, np.ndarray] = {}
    for cluster, counts in rows:
        for key, parts in counts.items():
            if any(parts):
                sums[cluster, *key] = sums.get((cluster, *key), 0) + np.array(parts, dtype=float)
    ordered = sorted(sums.items(), key=lambda item: (*item[0][:3], item[0][3] or ""))
    return [ClusterCounts(*key, *map(float, parts)) for key, parts in ordered]


def clusters_metadata(counts: Iterable[ClusterCounts]) -> dict[str, str]:
    """The metadata of a file of counts."""
    return {CLUSTERS: sha256_text("\n".join(sorted({row.cluster for row in counts})))}
