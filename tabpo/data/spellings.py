"""Documents as their ontology says: other spellings put right and counted, links of coreference made clusters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tabpo.answers.ontology import Ontology
from tabpo.records import Document


def conform(documents: Sequence[Document], ontology: Ontology) -> tuple[list[Document], dict[str, int]]:
    """Documents with the ontology's names in the place of their variants, and its coreference relation as clusters.

    Returns:
        The documents, and counts of `kind: variant -> name`.
    """
    counts: Counter[str] = Counter()

    def name(kind: str, found: str | None) -> str | None:
        right = ontology.variants.get(kind, {}).get(found, found)
        if right != found:
            counts[f"{kind}: {found} -> {right}"] += 1
        return right

    spelt = [
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
    return [_linked(document, ontology.coreference) for document in spelt], dict(sorted(counts.items()))


def _linked(document: Document, label: str | None) -> Document:
    """Relations of this label, which say that two spans name the same thing, and clusters, joined into clusters."""
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
