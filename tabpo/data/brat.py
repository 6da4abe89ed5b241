"""brat standoff: a folder with a .txt and an .ann for each document."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tabpo.data.jsonl import Place
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
    texts = {file.stem: file for file in sorted(path.rglob("*.txt"))}
    notes = {file.stem: file for file in sorted(path.rglob("*.ann"))}
    if not texts:
        raise DataError(f"{path}: holds no document; accepted: a .txt and an .ann for each")
    for kind, found, others in (("txt", texts, notes), ("ann", notes, texts)):
        alone = sorted(set(found) - set(others))
        if alone:
            other = "ann" if kind == "txt" else "txt"
            raise DataError(f"{found[alone[0]]}: has no .{other} beside it; accepted: both, the .ann may be empty")
        if len(found) < len(list(path.rglob(f"*.{kind}"))):
            raise DataError(f"{path}: two files .{kind} have one name; accepted: a name that no other document has")
    return [_document(path, texts[name], notes[name]) for name in sorted(texts)]


def _document(folder: Path, text_file: Path, note_file: Path) -> Document:
    place = Place(text_file, 1, text_file.stem)
    if not re.fullmatch(r"[^\s#/]+", place.doc_id):
        raise place.error("the name", "is no identifier; accepted: a file name without white space and #")
    text = place.string("the text", _decoded(text_file))
    annotations: dict[str, Annotation] = {}
    links: list[Link] = []
    sublabels: dict[str, str] = {}
    for line, kind, match in _read_lines(note_file, place.doc_id):
        field = f"annotation {match.group().split()[0]}" if match.group() else ""
        if kind == "span":
            name, label, start, end, said = match.groups()
            if name in annotations:
                raise line.error(field, "has the id of another line; accepted: an id that no other line has")
            # brat writes a line's end inside a span as a space
            found = text[int(start) : int(end)]
            said = found if re.sub(r"[\r\n]", " ", found) == said else said
            annotations[name] = Annotation(line, field, int(start), int(end), label, None, said)
        elif kind == "relation":
            label, head, tail = match.groups()
            links.append(Link(line, field, (head, tail), label))
        elif kind == "cluster":
            links.append(Link(line, field, tuple(match[1].split())))
        elif kind == "sublabel":
            sublabels[match[1]] = match[2].strip()
    labelled = {name: replace(item, sublabel=sublabels.get(name)) for name, item in annotations.items()}
    group = note_file.parent.relative_to(folder).as_posix()
    return build_document(
        place,
        text,
        labelled,
        links,
        sentences=[match.span() for match in re.finditer(r"[^\n]+", text)],
        group_id=None if group == "." else group,
    )


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
        return path.read_bytes().decode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a file in UTF-8") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
