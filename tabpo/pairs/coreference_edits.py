"""The edit of coreference links, for drafts of whole documents."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tabpo.confusions.counts import ADDED, MOVED, NONE, REMOVED
from tabpo.names import COREFERENCE
from tabpo.pairs.draft import Context, Draft, compact_ids, pick
from tabpo.pairs.proposals import CONSEQUENCE, Target
from tabpo.records import Edit, Span

Cluster = tuple[int, ...]


def change_link(draft: Draft, context: Context, rng: Random) -> Draft | None:
    """Give one mention a wrong antecedent, remove its antecedent, or add one where gold has none.

    A mention with an antecedent is moved to the cluster of a wrong antecedent or removed from its cluster. A span
    without a cluster is added to the cluster of an antecedent, which may itself be a span without a cluster. Wrong
    antecedents are earlier spans of other clusters, drawn in proportion to how often gold links join two spans with
    these labels. A cluster with a single mention does not count as a cluster. A move makes two Edits, one for each
    cluster; an Edit shows a cluster as gold ids.

    Returns None if no such change is possible.
    """
    cluster_of = {mention: cluster for cluster in draft.clusters for mention in cluster}
    options: list[tuple[float, tuple[Span, Cluster, Cluster, Target]]] = []
    for span in draft.free_spans():
        current = cluster_of.get(span.id, ())
        if not draft.touched.isdisjoint(current) or current[:1] == (span.id,):
            continue
        gold, outcomes = (span.label, (MOVED, REMOVED)) if current else (NONE, (ADDED,))
        for target in context.proposals.targets(COREFERENCE, gold, outcomes):
            if target.wrong == REMOVED:
                options.append((target.weight, (span, current, (), target)))
                continue
            antecedents = [
                (context.signatures.get((earlier.label, COREFERENCE, span.label), 0), other)
                for earlier in draft.free_spans()
                if earlier.id < span.id and earlier.id not in current
                for other in [cluster_of.get(earlier.id, (earlier.id,))]
                if draft.touched.isdisjoint(other)
            ]
            total = sum(weight for weight, _ in antecedents)
            options += [
                (target.weight * weight / total, (span, current, other, target))
                for weight, other in antecedents
                if weight
            ]
    picked = pick(rng, options)
    return None if picked is None else _relinked(draft, *picked)


def _relinked(draft: Draft, span: Span, current: Cluster, other: Cluster, target: Target) -> Draft:
    """Move a mention from its `current` cluster to the `other` one; either may be empty.

    Either may also hold a single span, which is not written as a cluster.
    """
    left = tuple(mention for mention in current if mention != span.id)
    joined = tuple(sorted((*other, span.id))) if other else ()
    kept = [cluster for cluster in draft.clusters if cluster not in (current, other)]
    made = [cluster for cluster in (left, joined) if len(cluster) > 1]
    edits = [
        Edit(COREFERENCE, _path(draft, before), _shown(before), _shown(after), target.source)
        for before, after in ((current, left), (other, joined))
        if before
    ]
    return replace(
        draft,
        clusters=tuple(sorted((*kept, *made))),
        touched=draft.touched.union(current, joined),
        edits=(*draft.edits, *edits),
    )


def left_cluster(draft: Draft, cluster: Cluster, spans: Sequence[Span]) -> Edit:
    """Return the Edit of a gold cluster that loses the mentions which a deletion removed from `spans`."""
    remaining = {span.id for span in spans}
    after = tuple(mention for mention in cluster if mention in remaining)
    return Edit(COREFERENCE, _path(draft, cluster), _shown(cluster), _shown(after), CONSEQUENCE)


def _path(draft: Draft, cluster: Cluster) -> str:
    position = draft.unit.clusters.index(cluster) if len(cluster) > 1 else "-"
    return f"{COREFERENCE}/{position}"


def _shown(cluster: Sequence[int]) -> str:
    return compact_ids(cluster) if len(cluster) > 1 else ""
