"""The edit of coreference links, for drafts of whole documents; None where it cannot apply."""

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
    """One mention with another antecedent than gold, with none, or with one where gold has none.

    A mention with an antecedent is moved to the cluster of a wrong one, or removed from its cluster; a record that is
    in no cluster is added to that of an antecedent, which may be another such record. Wrong antecedents are earlier
    records of other clusters, in proportion to how often gold links join two such labels. A cluster of one is none. A
    move makes two Edits, one for each cluster; they show clusters as gold ids.
    """
    cluster_of = {mention: cluster for cluster in draft.clusters for mention in cluster}
    options: list[tuple[float, tuple[Span, Cluster, Cluster, Target]]] = []
    for span in draft.free_spans():
        own = cluster_of.get(span.id, ())
        if not draft.touched.isdisjoint(own) or own[:1] == (span.id,):
            continue
        gold, outcomes = (span.label, (MOVED, REMOVED)) if own else (NONE, (ADDED,))
        for target in context.proposals.targets(COREFERENCE, gold, outcomes):
            if target.wrong == REMOVED:
                options.append((target.weight, (span, own, (), target)))
                continue
            found = [
                (context.signatures.get((earlier.label, COREFERENCE, span.label), 0), other)
                for earlier in draft.free_spans()
                if earlier.id < span.id and earlier.id not in own
                for other in [cluster_of.get(earlier.id, (earlier.id,))]
                if draft.touched.isdisjoint(other)
            ]
            total = sum(weight for weight, _ in found)
            options += [
                (target.weight * weight / total, (span, own, other, target)) for weight, other in found if weight
            ]
    picked = pick(rng, options)
    return None if picked is None else _relinked(draft, *picked)


def _relinked(draft: Draft, span: Span, own: Cluster, other: Cluster, target: Target) -> Draft:
    """The draft with the mention taken out of its own cluster, if it has one, and put into the other, if there is one.

    Both may be a record alone, which is no cluster.
    """
    left = tuple(mention for mention in own if mention != span.id)
    joined = tuple(sorted((*other, span.id))) if other else ()
    kept = [cluster for cluster in draft.clusters if cluster not in (own, other)]
    made = [cluster for cluster in (left, joined) if len(cluster) > 1]
    edits = [
        Edit(COREFERENCE, _path(draft, before), _shown(before), _shown(after), target.source)
        for before, after in ((own, left), (other, joined))
        if before
    ]
    return replace(
        draft,
        clusters=tuple(sorted((*kept, *made))),
        touched=draft.touched.union(own, joined),
        edits=(*draft.edits, *edits),
    )


def left_cluster(draft: Draft, cluster: Cluster, spans: Sequence[Span]) -> Edit:
    """What a deletion does to a cluster of gold: it loses the mentions that are not among the remaining spans."""
    remaining = {span.id for span in spans}
    after = tuple(mention for mention in cluster if mention in remaining)
    return Edit(COREFERENCE, _path(draft, cluster), _shown(cluster), _shown(after), CONSEQUENCE)


def _path(draft: Draft, cluster: Cluster) -> str:
    position = draft.unit.clusters.index(cluster) if len(cluster) > 1 else "-"
    return f"{COREFERENCE}/{position}"


def _shown(cluster: Sequence[int]) -> str:
    return compact_ids(cluster) if len(cluster) > 1 else ""
