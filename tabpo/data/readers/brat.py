"""Reader of brat's standoff format: a folder with a .txt and an .ann file for each document."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tabpo.data.jsonl import Place, check_mark
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.errors import DataError
from tabpo.records import Document

SUBLABEL = "Sublabel"
"""Name of the brat attribute that holds a span's sub-label."""

_LINES = {
    "span": re.compile(r"(T\S+)\t(\S+) (\d{1,9}) (\d{1,9})\t(.+)"),
    "relation": re.compile(r"R\S+\t(\S+) \S+:(T\S+) \S+:(T\S+)\s*"),
    "cluster": re.compile(r"\*\t\S+ (T\S+(?: T\S+)*)\s*"),
    "sublabel": re.compile(rf"[AM]\S+\t{SUBLABEL} (T\S+) (.+)"),
    "nothing": re.compile(r"(?:[N#].*)?"),
}
"""Accepted lines by kind. Lines of the kind "nothing" are skipped: notes, normalisations and empty lines."""


def read_documents(path: Path) -> list[Document]:
    """Read all documents in a folder and its sub-folders, sorted by id.

    A document's id is the name of its files without the ending. The path of a sub-folder is the group of its documents;
    documents in the folder itself have no group. Each line of the .txt file is a sentence. Equivalences (`*`) become
    clusters, and the attribute `Sublabel` becomes a span's sub-label.

    Raises:
        DataError: A document lacks one of its files, two documents have one name, a file is not UTF-8, or a line has an
            unknown form, as that of a span in several pieces. Files may be named after patients: the message names the
            folder, the number of the file among those with its ending, sorted by name, and the line.
    """
    texts, notes = ({file.with_suffix("") for file in path.rglob(f"*.{ending}")} for ending in ("txt", "ann"))
    if not texts:
        raise DataError(f"{path}: holds no document; accepted: a .txt and an .ann for each")
    for ending, alone in (("txt", notes - texts), ("ann", texts - notes)):
        if alone:
            other, names = ("ann", notes) if ending == "txt" else ("txt", texts)
            number = min(map(_by_name(names).index, alone)) + 1
            where = _place(path, other, number)
            raise DataError(f"{where}: has no .{ending}; accepted: a .txt and an .ann, which may be empty")
    documents = [_document(path, name, number) for number, name in enumerate(_by_name(texts), start=1)]
    for number, (first, second) in enumerate(pairwise(documents), start=1):
        if first.doc_id == second.doc_id:
            where = _place(path, "txt", number)
            raise DataError(f"{where}: has the same name as the next one; accepted: a name that no other one has")
    return documents


def _by_name(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda file: (file.name, file))


def _place(folder: Path, ending: str, number: int) -> str:
    return f"{folder}, .{ending} file {number} by name"


def _document(folder: Path, name: Path, number: int) -> Document:
    text_file, note_file = (name.with_name(f"{name.name}.{ending}") for ending in ("txt", "ann"))
    place = Place(_place(folder, "txt", number), 1, name.name)
    if not re.fullmatch(r"[^\s#/]+", place.doc_id):
        raise place.error("the name", "is no identifier; accepted: a file name without white space and #")
    text = place.string("the text", _decoded(text_file, place.path))
    notes = Place(_place(folder, "ann", number), 1, name.name)
    annotations, links = _annotations(note_file, notes, text)
    group = name.parent.relative_to(folder).as_posix()
    return build_document(
        place,
        text,
        annotations,
        links,
        sentences=[match.span() for match in re.finditer(r"[^\n]+", text)],
        group_id=None if group == "." else group,
    )


def _annotations(path: Path, where: Place, text: str) -> tuple[dict[str, Annotation], list[Link]]:
    annotations: dict[str, Annotation] = {}
    links: list[Link] = []
    sublabels: list[tuple[Place, str, str, str]] = []
    for line, kind, match in _read_lines(path, where):
        field = f"annotation {match.group().split()[0]}" if match.group() else ""
        if kind == "span":
            name, label, start, end, stated = match.groups()
            if name in annotations:
                raise line.error(field, "has the id of another line; accepted: an id that no other line has")
            covered = text[int(start) : int(end)]
            stated = covered if re.sub(r"[\r\n]", " ", covered) == stated else stated  # brat writes "\n" as a space
            annotations[name] = Annotation(line, field, int(start), int(end), label, None, stated)
        elif kind == "relation":
            label, head, tail = match.groups()
            links.append(Link(line, field, (head, tail), label))
        elif kind == "cluster":
            links.append(Link(line, field, tuple(match[1].split())))
        elif kind == "sublabel":
            sublabels.append((line, field, match[1], match[2].strip()))
    for line, field, name, sublabel in sublabels:
        if name not in annotations or annotations[name].sublabel is not None:
            raise line.error(field, "names no span, or one that has a sub-label; accepted: one sub-label for a span")
        annotations[name] = replace(annotations[name], sublabel=sublabel)
    return annotations, links


def _read_lines(path: Path, where: Place) -> Iterator[tuple[Place, str, re.Match]]:
    for number, line in enumerate(_decoded(path, where.path).split("\n"), start=1):
        place = replace(where, line=number)
        matches = ((kind, pattern.fullmatch(line.removesuffix("\r"))) for kind, pattern in _LINES.items())
        kind, match = next(((kind, match) for kind, match in matches if match), (None, None))
        if match is None:
            raise place.error(
                "the line",
                f"has an unknown form; accepted: T with one start and end, R, *, A {SUBLABEL}; N and # are skipped",
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
