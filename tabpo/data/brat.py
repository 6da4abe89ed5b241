"""brat standoff: a folder with a .txt and an .ann for each document."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tabpo.data.jsonl import Place, check_mark
from tabpo.data.offsets import Annotation, Link, build_document
from tabpo.errors import DataError
from tabpo.records import Document

SUBLABEL = "Sublabel"
"""The attribute of a span that is its sub-label."""

_LINES = {
    "span": re.compile(r"(T\S+)\t(\S+) (\d{1,9}) (\d{1,9})\t(.+)"),
    "relation": re.compile(r"R\S+\t(\S+) \S+:(T\S+) \S+:(T\S+)\s*"),
    "cluster": re.compile(r"\*\t\S+ (T\S+(?: T\S+)*)\s*"),
    "sublabel": re.compile(rf"[AM]\S+\t{SUBLABEL} (T\S+) (.+)"),
    "nothing": re.compile(r"(?:[N#].*)?"),
}
"""Lines that are read, and those that are passed over: notes, normalisations and empty ones."""


def read_documents(path: Path) -> list[Document]:
    """All documents below a folder, by id, which is the file's name; a sub-folder's name is the group of its documents.

    A line of the .txt is a sentence. Equivalences (`*`) become clusters, an attribute `Sublabel` a span's sub-label.

    Raises:
        DataError: A file is missing, no UTF-8, or has a line of another kind; a span in pieces; names file and line.
    """
    texts, notes = ({file.with_suffix("") for file in path.rglob(f"*.{ending}")} for ending in ("txt", "ann"))
    if not texts:
        raise DataError(f"{path}: holds no document; accepted: a .txt and an .ann for each")
    for ending, alone in (("txt", notes - texts), ("ann", texts - notes)):
        if alone:
            raise DataError(f"{min(alone)}: has no .{ending}; accepted: a .txt and an .ann, which may be empty")
    documents = [_document(path, name) for name in sorted(texts, key=lambda name: (name.name, name))]
    for first, second in pairwise(documents):
        if first.doc_id == second.doc_id:
            raise DataError(f"{path}: two documents are called {first.doc_id}; accepted: a name that no other one has")
    return documents


def _document(folder: Path, name: Path) -> Document:
    text_file, note_file = (name.with_name(f"{name.name}.{ending}") for ending in ("txt", "ann"))
    place = Place(text_file, 1, name.name)
    if not re.fullmatch(r"[^\s#/]+", place.doc_id):
        raise place.error("the name", "is no identifier; accepted: a file name without white space and #")
    text = place.string("the text", _decoded(text_file))
    annotations, links = _annotations(note_file, place.doc_id, text)
    group = name.parent.relative_to(folder).as_posix()
    return build_document(
        place,
        text,
        annotations,
        links,
        sentences=[match.span() for match in re.finditer(r"[^\n]+", text)],
        group_id=None if group == "." else group,
    )


def _annotations(path: Path, doc_id: str, text: str) -> tuple[dict[str, Annotation], list[Link]]:
    annotations: dict[str, Annotation] = {}
    links: list[Link] = []
    sublabels: list[tuple[Place, str, str, str]] = []
    for line, kind, match in _read_lines(path, doc_id):
        field = f"annotation {match.group().split()[0]}" if match.group() else ""
        if kind == "span":
            name, label, start, end, said = match.groups()
            if name in annotations:
                raise line.error(field, "has the id of another line; accepted: an id that no other line has")
            found = text[int(start) : int(end)]
            said = found if re.sub(r"[\r\n]", " ", found) == said else said  # brat writes a line's end as a space
            annotations[name] = Annotation(line, field, int(start), int(end), label, None, said)
        elif kind == "relation":
            label, head, tail = match.groups()
            links.append(Link(line, field, (head, tail), label))
        elif kind == "cluster":
            links.append(Link(line, field, tuple(match[1].split())))
        elif kind == "sublabel":
            sublabels.append((line, field, match[1], match[2].strip()))
    for line, field, name, sublabel in sublabels:
        if name not in annotations or annotations[name].sublabel is not None:
            raise line.error(field, "is of no span, or of one that has another; accepted: one sub-label of a span")
        annotations[name] = replace(annotations[name], sublabel=sublabel)
    return annotations, links


def _read_lines(path: Path, doc_id: str) -> Iterator[tuple[Place, str, re.Match]]:
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        place = Place(path, number, doc_id)
        matches = ((kind, pattern.fullmatch(line.removesuffix("\r"))) for kind, pattern in _LINES.items())
        kind, match = next(((kind, match) for kind, match in matches if match), (None, None))
        if match is None:
            raise place.error(
                "the line",
                "is none that is read; accepted: T with one start and end, R, *,"
                f" A {SUBLABEL}; N and # are passed over",
            )
        yield place, kind, match


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
        check_mark(path, content)
        return content.decode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a file in UTF-8") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
