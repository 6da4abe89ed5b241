"""Reader of BioRED (Luo et al., Briefings in Bioinformatics 2022, bbac282) in PubTator's format.

A document is `id|t|title`, `id|a|abstract`, a line for each mention (id, start, end, text, type, concepts) and one for
each relation (id, type, concept, concept, Novel or No). Offsets count the characters of title, one space, abstract.

- The mentions of a concept are a cluster. A mention of several concepts is in the cluster of the first.
- A relation joins two concepts, in no direction. Here it joins their first mentions, of which the earlier is the head;
  its label is the type, a slash, and Novel or No.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tabpo.data.jsonl import Place, check_mark
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.errors import DataError
from tabpo.records import Document

SEVERAL = "mentions of several concepts, in the cluster of the first"
ITSELF = "relations of a concept with itself, or of two with one mention, passed over"

MERGED = "relations that join the same first mentions with the same label as another, stated once"

NO_CONCEPT = "-"
"""What stands for the concept of a mention that the annotators linked to none."""

NOVELTY = ("Novel", "No")


class _Mention(NamedTuple):
    start: int
    end: int
    text: str
    label: str
    concepts: tuple[str, ...]


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents in the order of the file; title and abstract are sentences.

    Args:
        path: The file.
        reading: Its `noticed` counts `SEVERAL`, `ITSELF` and `MERGED`.

    Raises:
        DataError: The file is not in this format, a mention is not the text at its offsets, or a relation names a
            concept without a mention. The message names file and line, and what is accepted.
    """
    reading = reading or Reading()
    return reading.each(partial(_document, noticed=reading.noticed), _documents(path))


def _documents(path: Path) -> Iterator[tuple[Place, list[str]]]:
    try:
        content = path.read_bytes()
        check_mark(path, content)
        lines = content.decode().splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a file in PubTator's format") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
    numbered = enumerate(lines, start=1)
    for is_document, group in groupby(numbered, key=lambda item: bool(item[1].strip())):
        if is_document:
            rows = list(group)
            yield Place(path, rows[0][0], rows[0][1].partition("|")[0]), [row for _, row in rows]


def _document(place: Place, lines: list[str], noticed: Counter[str]) -> Document:
    heads = [line.split("|", 2) for line in lines[:2]]
    if [head[:2] for head in heads] != [[place.doc_id, "t"], [place.doc_id, "a"]] or any(map(_short, heads)):
        raise place.error("the document", "has no title and abstract; accepted: id|t|title, then id|a|abstract")
    title, abstract = (head[2] for head in heads)
    numbered = enumerate(lines[2:], start=place.line + 2)
    rows = [(Place(place.path, number, place.doc_id), line.split("\t")) for number, line in numbered]
    mentions = {f"the mention in line {where.line}": _mention(where, row) for where, row in rows if len(row) == 6}
    first = _first_mentions(mentions)
    clusters: dict[str, list[str]] = {}
    for name, mention in mentions.items():
        noticed.update([SEVERAL] * (len(mention.concepts) > 1))
        clusters.setdefault(mention.concepts[0], []).append(name)
    linked = [link for where, row in rows if len(row) != 6 for link in _relation(where, row, first, mentions, noticed)]
    noticed.update([MERGED] * (len(linked) - len({(link.ends, link.label) for link in linked})))
    concepts = [Link(place, "a concept", tuple(names)) for concept, names in clusters.items() if concept != NO_CONCEPT]
    annotations = {
        name: Annotation(place, name, mention.start, mention.end, mention.label, None, mention.text)
        for name, mention in mentions.items()
    }
    text = f"{title} {abstract}"
    parts = [(0, len(title)), (len(title) + 1, len(text))]
    sentences = [(start, end) for start, end in parts if end > start]
    return build_document(place, text, annotations, [*concepts, *linked], sentences=sentences)


def _short(head: list[str]) -> bool:
    return len(head) < 3


def _mention(place: Place, row: list[str]) -> _Mention:
    doc_id, start, end, text, label, concepts = row
    if doc_id != place.doc_id or not (start.isdecimal() and end.isdecimal() and text and label and concepts.strip()):
        raise place.error("mention", "has another form; accepted: id, start, end, text, type and concepts")
    return _Mention(int(start), int(end), text, label, tuple(concepts.strip().split(",")))


def _first_mentions(mentions: dict[str, _Mention]) -> dict[str, str]:
    """Return the first mention of each concept; one of several concepts stands for those without another mention."""
    ordered = sorted(mentions, key=lambda name: mentions[name][:2])
    first: dict[str, str] = {}
    for name in ordered:
        first.setdefault(mentions[name].concepts[0], name)
    for name in ordered:
        for concept in mentions[name].concepts[1:]:
            first.setdefault(concept, name)
    return first


def _relation(
    place: Place, row: list[str], first: dict[str, str], mentions: dict[str, _Mention], noticed: Counter[str]
) -> Iterator[Link]:
    if len(row) != 5 or row[0] != place.doc_id or row[4].strip() not in NOVELTY:
        raise place.error("the line", "has another form; accepted: a mention, or id, type, two concepts, Novel or No")
    _, label, *concepts, novelty = row
    for concept in concepts:
        if concept not in first:
            raise place.error("relation", "names a concept without a mention; accepted: concepts of mentions")
    ends = sorted({first[concept] for concept in concepts}, key=lambda name: mentions[name][:2])
    if len(ends) < 2:
        noticed[ITSELF] += 1
        return
    yield Link(place, "relation", tuple(ends), f"{label}/{novelty.strip()}")
