"""What documents must satisfy before anything is built on them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from tabpo.answers.ontology import Ontology
from tabpo.errors import DataError
from tabpo.records import Document, Span

COPIED_WORDS = 8
"""Words of a run that counts as copied when two splits have it, and of a text that may be in one split only."""


def check_labels(documents: Sequence[Document], ontology: Ontology, source: Path | str, *, private: bool) -> None:
    """Refuse labels, sub-labels and relations that the ontology does not have, and spans that answers cannot hold.

    Args:
        source: The file that record n of `documents` is line n of (a CSV's are not: it has a header, and texts of
            several lines), a folder whose files are sorted by name, or what else they come from.
        private: Whether messages leave out what stands for a label: it may be anything.

    Raises:
        DataError: Names source, number of the document, span and label, and what is accepted.
    """
    by_line = not (isinstance(source, Path) and (source.is_dir() or source.suffix == ".csv"))
    for number, document in enumerate(documents, start=1):
        where = f"{source}, {'line' if by_line else 'document'} {number}"
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
        DataError: Names the two splits, and the first two such documents by their numbers in them.
    """
    for (first, some), (second, others) in combinations(documents.items(), 2):
        for what, name in NAMES.items():
            places = _in_both(some, others, name)
            if places:
                raise DataError(
                    f"document {places[0][0]} of {first} and document {places[0][1]} of {second} have the same {what}"
                    f" ({len(names(some, name) & names(others, name))} in all); accepted: each {what} in one split"
                )
        places = _in_both(some, others, _long_text)
        if places:
            raise DataError(
                f"document {places[0][0]} of {first} and document {places[0][1]} of {second} have the same text"
                f" ({len(places)} such); accepted: a text of {COPIED_WORDS} words or more in one split"
            )


def _in_both(
    some: Sequence[Document], others: Sequence[Document], value: Callable[[Document], str | None]
) -> list[tuple[int, int]]:
    """Numbers, from 1, of documents with the same value: of each of `others` that has one, and of one of `some`."""
    numbers = {value(document): number for number, document in enumerate(some, start=1)}
    return [
        (numbers[found], number)
        for number, document in enumerate(others, start=1)
        if (found := value(document)) is not None and found in numbers
    ]


def _long_text(document: Document) -> str | None:
    return document.text if len(document.text.split()) >= COPIED_WORDS else None


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
