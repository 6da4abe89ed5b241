"""What documents must satisfy before anything is built on them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from tabpo.data.ontology import Ontology
from tabpo.errors import DataError
from tabpo.records import Document, Span

COPIED_WORDS = 8
"""Words of a run that counts as copied when two splits have it, and of a text that may be in one split only."""


def check_labels(documents: Sequence[Document], ontology: Ontology, source: Path | str, *, private: bool) -> None:
    """Refuse labels, sub-labels and relations that the ontology does not have, and spans that answers cannot hold.

    Args:
        source: The file that record n of `documents` is line n of (a CSV's are not: it has a header, and texts of
            several lines), a folder, or what else they come from.
        private: Whether messages leave out what stands for a label: it may be anything.

    Raises:
        DataError: Names source, record, document, span and label, and what is accepted.
    """
    by_line = not (isinstance(source, Path) and (source.is_dir() or source.suffix == ".csv"))
    for number, document in enumerate(documents, start=1):
        where = f"{source}, document {document.doc_id}"
        if by_line:
            where = f"{source}, line {number}, document {document.doc_id}"
        keys = [_key(span, ontology.answer) for span in document.spans]
        for position, span in enumerate(document.spans):
            if not ontology.valid(span.label, span.sublabel):
                found, accepted = _refused(span, ontology, private=private)
                raise DataError(f"{where}, span {span.id}: {found}; accepted: {', '.join(accepted)}")
            if keys[position] in keys[:position]:
                raise DataError(f"{where}, span {span.id}: is there twice; accepted: {ONCE[ontology.answer]}")
        for relation in document.relations:
            if relation.label not in ontology.relations:
                found = (
                    f"relation {relation.head}-{relation.tail}: {_shown('label', relation.label, private)} is unknown"
                )
                raise DataError(f"{where}, {found}; accepted: {', '.join(ontology.relations) or 'no relations'}")


ONCE = {"entities": "one label a span", "results": "a span once with each label and sub-label"}
"""How often a span may be annotated, by format of the answer."""


def check_splits(documents: Mapping[str, Sequence[Document]]) -> None:
    """Refuse documents and groups that straddle splits, and a text of eight words or more that does.

    Raises:
        DataError: Names the two splits, and the first such document or group; of a text the two documents.
    """
    for (first, some), (second, others) in combinations(documents.items(), 2):
        for what, name in NAMES.items():
            shared = sorted(names(some, name) & names(others, name))
            if shared:
                raise DataError(
                    f"{what} {shared[0]} is in {first} and in {second} ({len(shared)} in all);"
                    f" accepted: each {what} in one split"
                )
        known = {document.text: document.doc_id for document in some if len(document.text.split()) >= COPIED_WORDS}
        copies = [document for document in others if document.text in known]
        if copies:
            raise DataError(
                f"document {known[copies[0].text]} in {first} and document {copies[0].doc_id} in {second} have the same"
                f" text ({len(copies)} such); accepted: a text of {COPIED_WORDS} words or more in one split"
            )


NAMES: dict[str, Callable[[Document], str | None]] = {
    "document": lambda document: document.doc_id,
    "group": lambda document: document.group_id,
}
"""What may be in one split only."""


def names(documents: Sequence[Document], name: Callable[[Document], str | None]) -> set[str]:
    """The different names of documents; those without one are left out."""
    return {found for found in map(name, documents) if found is not None}


def _key(span: Span, answer_format: str) -> tuple:
    place = (span.start, span.end)
    return place if answer_format == "entities" else (*place, span.label, span.sublabel)


def _refused(span: Span, ontology: Ontology, *, private: bool) -> tuple[str, list[str]]:
    if span.label not in ontology.labels:
        return f"{_shown('label', span.label, private)} is unknown", list(ontology.labels)
    accepted = list(ontology.labels[span.label].sublabels) or ["no sub-label"]
    return f"{_shown('sub-label', span.sublabel, private)} is none of label {span.label!r}", accepted


def _shown(what: str, found: str | None, private: bool) -> str:
    return what if private else f"{what} {found!r}"
