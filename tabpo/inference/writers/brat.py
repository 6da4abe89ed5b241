"""Write answers as a folder in brat's standoff format, with the confidence of each span and relation as a note."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from tabpo.answers.ontology import Ontology
from tabpo.data.readers.brat import ROLES, SUBLABEL
from tabpo.inference.answered import Answered, AnsweredSpan

CONFIDENCE = "confidence"
"""Begins the notes that hold a confidence."""


def write_brat(folder: Path, answers: Sequence[Answered], ontology: Ontology) -> None:
    """Write a .txt and an .ann file for each document, below a folder of the name of its group if it has one.

    The reader of brat folders gives the same labels and relations again with the same ontology.

    Args:
        folder: An existing folder.
        answers: The documents with their answers.
        ontology: Its `roles` name the arguments of relations; a part of a label that one of its `attribute_labels` has
            given becomes this attribute again.
    """
    for answered in answers:
        document = answered.document
        place = folder / document.group_id if document.group_id else folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{document.doc_id}.txt").write_bytes(document.text.encode())
        notes = "".join(f"{line}\n" for line in _lines(answered, ontology))
        (place / f"{document.doc_id}.ann").write_bytes(notes.encode())


def _lines(answered: Answered, ontology: Ontology) -> Iterator[str]:
    attributes = {part: name for name, part in ontology.attribute_labels.items()}
    numbers = count(1)
    for span in answered.spans:
        label, marked = _without_attributes(span.label, attributes)
        yield f"{span.name}\t{label} {_offsets(answered.document.text, span)}"
        yield from (f"A{next(numbers)}\t{attribute} {span.name}" for attribute in marked)
        if span.sublabel is not None:
            yield f"A{next(numbers)}\t{SUBLABEL} {span.name} {span.sublabel}"
    for position, relation in enumerate(answered.relations, start=1):
        head, tail = ontology.roles.get(relation.label, ROLES)
        yield f"R{position}\t{relation.label} {head}:{relation.head} {tail}:{relation.tail}"
    for cluster in answered.clusters:
        yield f"*\tCoref {' '.join(cluster)}"
    named = [(span.name, span.confidence) for span in answered.spans]
    named += [(f"R{position}", relation.confidence) for position, relation in enumerate(answered.relations, start=1)]
    for number, (name, confidence) in enumerate(named, start=1):
        yield f"#{number}\tAnnotatorNotes {name}\t{CONFIDENCE} {confidence:.4f}"


def _without_attributes(label: str, attributes: Mapping[str, str]) -> tuple[str, list[str]]:
    """Divide a label as the reader joined it: the label in brat, and its attributes in the order of the label."""
    names: list[str] = []
    while (part := label.rpartition("/")[2]) in attributes and part != label:
        label = label.removesuffix(f"/{part}")
        names.insert(0, attributes[part])
    return label, names


def _offsets(text: str, span: AnsweredSpan) -> str:
    """Return offsets and text as brat writes them: a piece for each line, and the pieces joined by a space."""
    covered = text[span.start : span.end]
    pieces = [(span.start + match.start(), span.start + match.end()) for match in re.finditer(r"[^\r\n]+", covered)]
    offsets = ";".join(f"{start} {end}" for start, end in pieces)
    return f"{offsets}\t{' '.join(text[start:end] for start, end in pieces)}"
