"""Checks that documents must pass before prompts are made from them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import not_asked_by_sentence
from tabpo.data.jsonl import Place
from tabpo.errors import DataError
from tabpo.records import Document, Span

COPIED_WORDS = 8
"""A run of this many words in two splits counts as copied; a text with at least this many may be in one split only."""


def check_labels(documents: Sequence[Document], ontology: Ontology, places: Sequence[Place], *, private: bool) -> None:
    """Refuse what `label_faults` finds.

    Raises:
        DataError: The first fault.
    """
    for fault in label_faults(documents, ontology, places, private=private):
        raise fault


def label_faults(
    documents: Sequence[Document], ontology: Ontology, places: Sequence[Place], *, private: bool
) -> Iterator[DataError]:
    """Yield the faults of labels, sub-labels and relations that the ontology lacks, and of spans that are there twice.

    Args:
        documents: The documents of one split.
        ontology: It defines the accepted labels.
        places: The place of each document, for messages, which also name span and label, and what is accepted.
        private: Whether messages leave out unknown labels, which may be private text.
    """
    for document, place in zip(documents, places, strict=True):
        keys = [_key(span, ontology) for span in document.spans]
        for position, span in enumerate(document.spans):
            if not ontology.valid(span.label, span.sublabel):
                problem, accepted = _refused(span, ontology, private=private)
                yield place.error(f"span {span.id}", f"{problem}; accepted: {', '.join(accepted)}")
            elif keys[position] in keys[:position]:
                yield place.error(f"span {span.id}", f"is there twice; accepted: {ONCE[ontology.labels_share_spans]}")
        extents = {span.id: (span.start, span.end) for span in document.spans}
        for relation in document.relations:
            if extents[relation.head] == extents[relation.tail]:
                yield place.error(
                    f"relation {relation.head}-{relation.tail}", "joins two labels of one span; accepted: two spans"
                )
            elif relation.label not in ontology.relations:
                problem = f"{_shown('label', relation.label, private)} is unknown"
                accepted = ", ".join(ontology.relations) or "no relations"
                yield place.error(f"relation {relation.head}-{relation.tail}", f"{problem}; accepted: {accepted}")


ONCE = {
    False: "one label a span, or several_labels: true in the ontology",
    True: "a span once with each label and sub-label",
}
"""How often one stretch of text may be annotated, by whether labels may share spans."""


def check_splits(documents: Mapping[str, Sequence[Document]]) -> None:
    """Refuse what `split_faults` finds.

    Raises:
        DataError: The first fault.
    """
    for fault in split_faults(documents):
        raise fault


def split_faults(documents: Mapping[str, Sequence[Document]]) -> Iterator[DataError]:
    """Yield what two splits share: documents, groups, and texts of eight or more words.

    There is one fault for each kind and two splits. It names the first such documents by their numbers in the splits,
    and says how many there are.
    """
    for (first, some), (second, others) in combinations(documents.items(), 2):
        for what, name in NAMES.items():
            places = _in_both(some, others, name)
            if places:
                yield DataError(
                    f"document {places[0][0]} of {first} and document {places[0][1]} of {second} have the same {what}"
                    f" ({len(names(some, name) & names(others, name))} in all); accepted: each {what} in one split"
                )
        places = _in_both(some, others, _long_text)
        if places:
            yield DataError(
                f"document {places[0][0]} of {first} and document {places[0][1]} of {second} have the same text"
                f" ({len(places)} such); accepted: a text of {COPIED_WORDS} words or more in one split"
            )


def without_shared_texts(documents: Mapping[str, Sequence[Document]]) -> dict[str, list[Document]]:
    """Leave out documents with a text of eight or more words that a later split has; a split may keep a text twice."""
    kept, later = {}, set()
    for split in reversed(documents):
        kept[split] = [document for document in documents[split] if _long_text(document) not in later]
        later |= {_long_text(document) for document in documents[split]} - {None}
    return {split: kept[split] for split in documents}


def check_annotated(documents: Mapping[str, Sequence[Document]]) -> None:
    """Refuse splits without any annotation: nothing can be learnt from such a train, or measured on the others.

    Raises:
        DataError: The message names the split and the number of its documents.
    """
    for split, items in documents.items():
        if not any(document.spans for document in items):
            raise DataError(
                f"{split} has {len(items)} documents and no annotation in any; accepted: annotated documents, and some"
                " without annotations beside them"
            )


def check_asked(documents: Mapping[str, Sequence[Document]], unit: str) -> None:
    """Refuse prompts about single sentences that ask about none of the relations and clusters that the dataset has.

    Args:
        documents: The documents of each split.
        unit: "sentence" or "document": what one prompt asks about.

    Raises:
        DataError: The message says how many there are, and what is accepted.
    """
    if unit == "document":
        return
    items = [document for split in documents.values() for document in split]
    lost = sum((Counter(not_asked_by_sentence(document)) for document in items), start=Counter())
    if lost and lost["relations"] == sum(len(set(document.relations)) for document in items):
        raise DataError(
            f"unit: sentence asks about none of the dataset's {lost['relations']} relations, whose ends lie in"
            f" different sentences, and {lost['clusters']} clusters; accepted: unit: document, or sentences that hold"
            " relations"
        )


def _in_both(
    some: Sequence[Document], others: Sequence[Document], value: Callable[[Document], str | None]
) -> list[tuple[int, int]]:
    """Find documents of `others` whose value a document of `some` has too; return the numbers of both, from 1."""
    numbers = {value(document): number for number, document in enumerate(some, start=1)}
    return [
        (numbers[shared], number)
        for number, document in enumerate(others, start=1)
        if (shared := value(document)) is not None and shared in numbers
    ]


def _long_text(document: Document) -> str | None:
    return document.text if len(document.text.split()) >= COPIED_WORDS else None


NAMES: dict[str, Callable[[Document], str | None]] = {
    "document": lambda document: document.doc_id,
    "group": lambda document: document.group_id,
}
"""How to get each kind of name that may be in one split only."""


def names(documents: Sequence[Document], name: Callable[[Document], str | None]) -> set[str]:
    """Return the set of the documents' names; documents without a name are left out."""
    return {value for value in map(name, documents) if value is not None}


def _key(span: Span, ontology: Ontology) -> tuple:
    place = (span.start, span.end)
    return (*place, span.label, span.sublabel) if ontology.labels_share_spans else place


def _refused(span: Span, ontology: Ontology, *, private: bool) -> tuple[str, list[str]]:
    if span.label not in ontology.labels:
        return f"{_shown('label', span.label, private)} is unknown", list(ontology.labels)
    accepted = list(ontology.labels[span.label].sublabels) or ["no sub-label"]
    return f"{_shown('sub-label', span.sublabel, private)} is none of label {span.label!r}", accepted


def _shown(what: str, value: str | None, private: bool) -> str:
    return what if private else f"{what} {value!r}"
