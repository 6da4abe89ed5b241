"""Reader of brat's standoff format: a folder with a .txt and an .ann file for each document."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tabpo.artefacts import files_below
from tabpo.data.jsonl import Place, check_mark
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.errors import DataError
from tabpo.records import Document

SUBLABEL = "Sublabel"
"""Name of the brat attribute that holds a span's sub-label."""

ROLES = ("Arg1", "Arg2")
"""Names of a relation's arguments, head and tail, where the ontology gives no others."""

UNREAD = "files not read, as they end neither in .txt nor in .ann"
"""As logs and cards say it."""

_ENDINGS = ("txt", "ann")

_log = logging.getLogger(__name__)

_LINES = {
    "span": re.compile(r"(T\S+)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)\t(.+)"),
    "relation": re.compile(r"R\S+\t(\S+) (\S+):(T\S+) (\S+):(T\S+)\s*"),
    "cluster": re.compile(r"\*\t\S+ (T\S+(?: T\S+)*)\s*"),
    "sublabel": re.compile(rf"[AM]\S+\t{SUBLABEL} (T\S+) (.+)"),
    "nothing": re.compile(""),
    "notes": re.compile("#.*"),
    "normalisations": re.compile("N.*"),
    "attributes": re.compile(r"[AM]\S+\t(\S+) ([TERM]\S+)(?: (\S.*))?\s*"),
    "events": re.compile(r"E\S+\t.+"),
}
"""Lines by kind."""

_PASSED_OVER = ("notes", "normalisations")
"""Kinds of lines that are passed over in all data sets."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read all documents in a folder and its sub-folders, sorted by id; linked folders are followed.

    A document's id is the name of its files without the ending, which may be in capitals. The first sub-folder on the
    way to a document is its group, however deep it lies; documents in the folder itself have no group. Each line of the
    .txt file is a sentence. Equivalences (`*`) become clusters, and the attribute `Sublabel` becomes a span's
    sub-label. The pieces of a span with nothing but white space between them are one span. Arguments of relations go by
    their names, in any order. A warning in the log gives the numbers of `UNREAD` files.

    Args:
        path: The folder.
        reading: The `roles` of its ontology name the arguments of relations, which are `ROLES` for other relations;
            `attribute_labels` the attributes that become part of labels; `passed_over` the kinds of lines that are
            not read, beside notes and normalisations. Its `noticed` counts `UNREAD` files and lines passed over.

    Raises:
        DataError: A document lacks one of its files or has one twice, two documents have one name, a folder is reached
            twice through links, a file is not UTF-8, or a line has an unknown form, as that of a span in pieces with
            other text between them. Files may be named after patients: the message names the folder, the number of the
            file among those with its ending, sorted by name, and the line.
    """
    reading = reading or Reading()
    files = _by_name(files_below(path))
    texts, notes = (_by_document(path, files, ending) for ending in _ENDINGS)
    if not texts and not notes:
        raise DataError(f"{path}: holds no document; accepted: a .txt and an .ann for each")
    for ending, alone in (("txt", notes.keys() - texts), ("ann", texts.keys() - notes)):
        if alone:
            other, names = ("ann", notes) if ending == "txt" else ("txt", texts)
            number = min(map(list(names).index, alone)) + 1
            where = _place(path, other, number)
            raise DataError(f"{where}: has no .{ending}; accepted: a .txt and an .ann, which may be empty")
    unread = [number for number, file in enumerate(files, start=1) if _ending(file) not in _ENDINGS]
    if unread:
        numbers = ", ".join(map(str, unread))
        _log.warning("%s: %s: file %s by name", path, UNREAD, numbers)
        reading.noticed[UNREAD] += len(unread)
    for number, (first, second) in enumerate(pairwise(texts), start=1):
        if first.name == second.name:
            where = _place(path, "txt", number)
            raise DataError(f"{where}: has the same name as the next one; accepted: a name that no other one has")
    places = (
        (Place(_place(path, "txt", number), 1, name.name), _Files(path, name, texts[name], notes[name], number))
        for number, name in enumerate(texts, start=1)
    )
    return reading.each(partial(_document, reading=reading), places)


class _Files(NamedTuple):
    """The two files of a document: their folder, path without ending, and number among those with their ending."""

    folder: Path
    name: Path
    text: Path
    notes: Path
    number: int


def _ending(file: Path) -> str:
    return file.suffix.removeprefix(".").lower()


def _by_document(folder: Path, files: Iterable[Path], ending: str) -> dict[Path, Path]:
    """Return the files with an ending by their paths without it, sorted by name."""
    documents: dict[Path, Path] = {}
    for file in files:
        if _ending(file) == ending and documents.setdefault(file.with_suffix(""), file) != file:
            where = _place(folder, ending, _by_name(documents).index(file.with_suffix("")) + 1)
            raise DataError(f"{where}: is there with its ending in small and in capital letters; accepted: one of them")
    return {name: documents[name] for name in _by_name(documents)}


def _by_name(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda file: (file.name, file))


def _place(folder: Path, ending: str, number: int) -> str:
    return f"{folder}, .{ending} file {number} by name"


def _document(place: Place, files: _Files, reading: Reading) -> Document:
    if not re.fullmatch(r"[^\s#/]+", place.doc_id):
        raise place.error("the name", "is no identifier; accepted: a file name without white space and #")
    text = place.string("the text", _decoded(files.text, place.path))
    notes = Place(_place(files.folder, "ann", files.number), 1, place.doc_id)
    annotations, links = _annotations(files.notes, notes, text, reading)
    parents = files.name.relative_to(files.folder).parts[:-1]
    return build_document(
        place,
        text,
        annotations,
        links,
        sentences=[match.span() for match in re.finditer(r"[^\n]+", text)],
        group_id=parents[0] if parents else None,
    )


def _annotations(path: Path, where: Place, text: str, reading: Reading) -> tuple[dict[str, Annotation], list[Link]]:
    ontology = reading.ontology
    annotations: dict[str, Annotation] = {}
    links: list[Link] = []
    sublabels: list[tuple[Place, str, str, str]] = []
    marked: list[tuple[Place, str, str, str]] = []
    for line, kind, match in _read_lines(path, where):
        field = f"annotation {match.group().split()[0]}" if match.group() else ""
        if kind == "span":
            name, label, offsets, stated = match.groups()
            if name in annotations:
                raise line.error(field, "has the id of another line; accepted: an id that no other line has")
            annotations[name] = _span(line, field, label, offsets, stated, text)
        elif kind == "relation":
            links.append(Link(line, field, _arguments(line, field, match, ontology.roles), match[1]))
        elif kind == "cluster":
            links.append(Link(line, field, tuple(match[1].split())))
        elif kind == "sublabel":
            sublabels.append((line, field, match[1], match[2].strip()))
        elif kind == "attributes" and match[1] in ontology.attribute_labels:
            if match[3]:
                raise line.error(field, "has a value; accepted: an attribute without one, as attribute_labels names it")
            marked.append((line, field, match[2], ontology.attribute_labels[match[1]]))
        elif kind in (*_PASSED_OVER, *ontology.passed_over):
            reading.noticed[f"{kind} passed over"] += 1
        elif kind in ("attributes", "events"):
            raise line.error(
                field, f"is one of {kind}; accepted: {kind} that attribute_labels or passed_over of the ontology name"
            )
    parts = list(ontology.attribute_labels.values())
    for line, field, name, part in sorted(marked, key=lambda item: parts.index(item[3])):
        if name not in annotations:
            raise line.error(field, "names no span; accepted: an attribute of a span")
        annotations[name] = replace(annotations[name], label=f"{annotations[name].label}/{part}")
    for line, field, name, sublabel in sublabels:
        if name not in annotations or annotations[name].sublabel is not None:
            raise line.error(field, "names no span, or one that has a sub-label; accepted: one sub-label for a span")
        annotations[name] = replace(annotations[name], sublabel=sublabel)
    return annotations, links


def _span(line: Place, field: str, label: str, offsets: str, stated: str, text: str) -> Annotation:
    """Join the pieces of a span, as "18 24;25 27", where nothing but white space lies between them."""
    pieces = [tuple(map(int, piece.split(" "))) for piece in offsets.split(";")]
    for (_, end), (start, _) in pairwise(pieces):
        if start < end or text[end:start].strip():
            raise line.error(
                field,
                "is in pieces; accepted: one start and end, or pieces in order with white space alone between them",
            )
    written = " ".join(re.sub(r"[\r\n]", " ", text[start:end]) for start, end in pieces)  # so brat writes a line end
    start, end = pieces[0][0], pieces[-1][1]
    return Annotation(line, field, start, end, label, None, text[start:end] if written == stated else stated)


def _arguments(line: Place, field: str, match: re.Match, roles: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Return the ids of head and tail, which the names of the arguments tell apart."""
    label, first, first_id, second, second_id = match.groups()
    head, tail = roles.get(label, ROLES)
    ends = {first: first_id, second: second_id}
    if ends.keys() != {head, tail}:
        raise line.error(
            field, f"has arguments of other names; accepted: {head} (head) and {tail} (tail), or roles in the ontology"
        )
    return ends[head], ends[tail]


def _read_lines(path: Path, where: Place) -> Iterator[tuple[Place, str, re.Match]]:
    for number, line in enumerate(_decoded(path, where.path).split("\n"), start=1):
        place = replace(where, line=number)
        matches = ((kind, pattern.fullmatch(line.removesuffix("\r"))) for kind, pattern in _LINES.items())
        kind, match = next(((kind, match) for kind, match in matches if match), (None, None))
        if match is None:
            raise place.error(
                "the line",
                "has an unknown form; accepted: T with start and end, R, *, A, E; N and # are passed over",
            )
        yield place, kind, match


def _decoded(path: Path, where: str) -> str:
    try:
        content = path.read_bytes()
        check_mark(where, content)
        return content.decode()
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror}); accepted: a file in UTF-8") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
