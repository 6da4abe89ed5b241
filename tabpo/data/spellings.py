"""Fit documents to their ontology: correct and count variant spellings, and turn coreference links into clusters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tabpo.answers.ontology import Ontology
from tabpo.records import Document


def conform(documents: Sequence[Document], ontology: Ontology) -> tuple[list[Document], dict[str, int]]:
    """Replace variant spellings by the ontology's names, and relations of its coreference label by clusters.

    Returns:
        The documents, and how often each variant was replaced, by `kind: variant -> name`.
    """
    counts: Counter[str] = Counter()

    def name(kind: str, spelling: str | None) -> str | None:
        accepted = ontology.variants.get(kind, {}).get(spelling, spelling)
        if accepted != spelling:
            counts[f"{kind}: {spelling} -> {accepted}"] += 1
        return accepted

    corrected = [
        replace(
            document,
            spans=tuple(
                replace(span, label=name("labels", span.label), sublabel=name("sublabels", span.sublabel))
                for span in document.spans
            ),
            relations=tuple(
                replace(relation, label=name("relations", relation.label)) for relation in document.relations
            ),
        )
        for document in documents
    ]
    return [_linked(document, ontology.coreference) for document in corrected], dict(sorted(counts.items()))


def _linked(document: Document, label: str | None) -> Document:
    """Merge relations with the coreference label, and existing clusters, into clusters without common spans."""
    links = [{relation.head, relation.tail} for relation in document.relations if relation.label == label]
    if not links:
        return document
    joined: list[set[int]] = []
    for link in [*links, *map(set, document.clusters)]:
        touched = [cluster for cluster in joined if cluster & link]
        joined = [cluster for cluster in joined if not cluster & link] + [link.union(*touched)]
    return replace(
        document,
        relations=tuple(relation for relation in document.relations if relation.label != label),
        clusters=tuple(sorted(tuple(sorted(cluster)) for cluster in joined)),
    )
