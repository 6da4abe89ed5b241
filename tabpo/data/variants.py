"""Other spellings of labels in the data, put right as the ontology says, and counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tabpo.data.ontology import Ontology
from tabpo.records import Document


def spell(documents: Sequence[Document], ontology: Ontology) -> tuple[list[Document], dict[str, int]]:
    """Documents with the ontology's names in the place of their variants, and counts of `kind: variant -> name`."""
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
    return spelt, dict(sorted(counts.items()))
