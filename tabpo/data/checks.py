"""What documents must satisfy before anything is built on them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from tabpo.data.ontology import Ontology
from tabpo.errors import DataError
from tabpo.records import Document


def check_labels(documents: Sequence[Document], ontology: Ontology, source: str) -> None:
    """Refuse labels, sub-labels and relations that the ontology does not have.

    Args:
        source: The file that record n of `documents` is line n of, or what else they come from.

    Raises:
        DataError: Names source, record, document, span and label, and what is accepted.
    """
    for number, document in enumerate(documents, start=1):
        where = f"{source}, line {number}, document {document.doc_id}"
        for span in document.spans:
            if not ontology.valid(span.label, span.sublabel):
                found, accepted = _refused(span.label, span.sublabel, ontology)
                raise DataError(f"{where}, span {span.id}: {found}; accepted: {', '.join(accepted)}")
        for relation in document.relations:
            if relation.label not in ontology.relations:
                found = f"relation {relation.head}-{relation.tail}: label {relation.label!r} is unknown"
                raise DataError(f"{where}, {found}; accepted: {', '.join(ontology.relations) or 'no relations'}")


def check_splits(documents: Mapping[str, Sequence[Document]]) -> None:
    """Refuse documents and groups that straddle splits.

    Raises:
        DataError: Names the two splits, and the first such document or group.
    """
    for (first, some), (second, others) in combinations(documents.items(), 2):
        for what, name in NAMES.items():
            shared = sorted(names(some, name) & names(others, name))
            if shared:
                raise DataError(
                    f"{what} {shared[0]} is in {first} and in {second} ({len(shared)} in all);"
                    f" accepted: each {what} in one split"
                )


NAMES: dict[str, Callable[[Document], str | None]] = {
    "document": lambda document: document.doc_id,
    "group": lambda document: document.group_id,
}
"""What may be in one split only."""


def names(documents: Sequence[Document], name: Callable[[Document], str | None]) -> set[str]:
    """The different names of documents; those without one are left out."""
    return {found for found in map(name, documents) if found is not None}


def _refused(label: str, sublabel: str | None, ontology: Ontology) -> tuple[str, list[str]]:
    if label not in ontology.labels:
        return f"label {label!r} is unknown", list(ontology.labels)
    accepted = list(ontology.labels[label].sublabels) or ["no sub-label"]
    return f"sub-label {sublabel!r} is none of label {label!r}", accepted
