"""Write answers as a folder in brat's standoff format, with the confidence of each span and relation as a note."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tabpo.data.readers.brat import ROLES, SUBLABEL
from tabpo.inference.answered import Answered, AnsweredSpan

CONFIDENCE = "confidence"
"""Begins the notes that hold a confidence."""


def write_brat(folder: Path, answers: Sequence[Answered], roles: Mapping[str, tuple[str, str]]) -> None:
    """Write a .txt and an .ann file for each document, below a folder of the name of its group if it has one.

    Args:
        folder: An existing folder.
        answers: The documents with their answers.
        roles: Names of the arguments of relations, head first, where they are not Arg1 and Arg2.
    """
    for answered in answers:
        document = answered.document
        place = folder / document.group_id if document.group_id else folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{document.doc_id}.txt").write_bytes(document.text.encode())
        notes = "".join(f"{line}\n" for line in _lines(answered, roles))
        (place / f"{document.doc_id}.ann").write_bytes(notes.encode())


def _lines(answered: Answered, roles: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for span in answered.spans:
        yield f"{span.name}\t{span.label} {_offsets(answered.document.text, span)}"
    for position, span in enumerate((span for span in answered.spans if span.sublabel is not None), start=1):
        yield f"A{position}\t{SUBLABEL} {span.name} {span.sublabel}"
    for position, relation in enumerate(answered.relations, start=1):
        head, tail = roles.get(relation.label, ROLES)
        yield f"R{position}\t{relation.label} {head}:{relation.head} {tail}:{relation.tail}"
    for cluster in answered.clusters:
        yield f"*\tCoref {' '.join(cluster)}"
    named = [(span.name, span.confidence) for span in answered.spans]
    named += [(f"R{position}", relation.confidence) for position, relation in enumerate(answered.relations, start=1)]
    for number, (name, confidence) in enumerate(named, start=1):
        yield f"#{number}\tAnnotatorNotes {name}\t{CONFIDENCE} {confidence:.4f}"


def _offsets(text: str, span: AnsweredSpan) -> str:
    """Return offsets and text as brat writes them: a piece for each line, and the pieces joined by a space."""
    covered = text[span.start : span.end]
    pieces = [(span.start + match.start(), span.start + match.end()) for match in re.finditer(r"[^\r\n]+", covered)]
    offsets = ";".join(f"{start} {end}" for start, end in pieces)
    return f"{offsets}\t{' '.join(text[start:end] for start, end in pieces)}"
