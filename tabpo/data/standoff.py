"""Documents from a text and annotations at character offsets; the checks hold for every format of this kind."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tabpo.data.jsonl import Place
from tabpo.errors import DataError
from tabpo.records import Document, Relation, Span

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated span as its file states it.

    Attributes:
        place: Place of its document in the file, for error messages.
        field: Field of the document that states it, for error messages.
        start: Offset of its first character.
        end: Offset after its last character.
        label: Entity type, or code.
        sublabel: Sub-code, or None.
        text: The text of the span according to the file, which is checked against the offsets.
    """

    place: Place
    field: str
    start: int
    end: int
    label: str
    sublabel: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two annotations, or a cluster of any number of them; a cluster has no label.

    Attributes:
        place: Place of its document in the file, for error messages.
        field: Field of the document that states it, for error messages.
        ends: Names of the annotations.
        label: Type of the relation; None for a cluster.
    """

    place: Place
    field: str
    ends: tuple[str, ...]
    label: str | None = None


def build_document(
    place: Place,
    text: str,
    annotations: Mapping[str, Annotation],
    links: Sequence[Link] = (),
    *,
    sentences: Sequence[tuple[int, int]] | None = None,
    group_id: str | None = None,
    attributes: tuple[tuple[str, str], ...] = (),
) -> Document:
    """Make a document from a text and its annotations.

    A token is a word or a single other character that is not white space. Tokens also end where a span begins or ends,
    so every span consists of whole tokens.

    Args:
        place: Place of the document, for error messages.
        text: The text as published, white space included.
        annotations: The spans, by the names that links use.
        links: Relations and clusters; a repeated relation is kept once.
        sentences: Character ranges (start, end excluded) in order, which together hold every token; None makes the
            whole text one sentence.
        group_id: The group that must stay in one split; None if it is unknown.
        attributes: Further facts as (name, value).

    Raises:
        DataError: A span lies outside the text, differs from the text that its file states, begins or ends with white
            space, or occurs twice; a link names an unknown annotation, names one twice, or puts one into two clusters;
            or a token lies in no sentence.
    """
    for annotation in annotations.values():
        _check_span(annotation, text)
    order = sorted(annotations, key=lambda name: _key(annotations[name]))
    for first, second in pairwise(order):
        if _key(annotations[first]) == _key(annotations[second]):
            raise _error(annotations[second], "is there twice; accepted: each span once with the same label")
    ids = {name: number for number, name in enumerate(order, start=1)}
    offsets = _token_offsets(text, annotations.values())
    linked = [(link, _ends(link, ids)) for link in links]
    return Document(
        doc_id=place.doc_id,
        group_id=group_id,
        text=text,
        tokens=tuple(text[start:end] for start, end in offsets),
        sentences=_token_ranges(place, sentences or [(0, len(text))], offsets),
        spans=tuple(Span(ids[name], *_label(annotations[name]), *_extent(annotations[name])) for name in order),
        relations=tuple(
            Relation(*item) for item in sorted({(*ends, link.label) for link, ends in linked if link.label is not None})
        ),
        clusters=_clusters([(link, ends) for link, ends in linked if link.label is None]),
        attributes=attributes,
    )


def _check_span(annotation: Annotation, text: str) -> None:
    place, field, start, end = annotation.place, annotation.field, annotation.start, annotation.end
    place.integer(f"{field} start", start, 0, len(text))
    place.integer(f"{field} end", end, start + 1, len(text) + 1)
    covered = text[start:end]
    if covered != annotation.text:
        raise _error(annotation, f"is not the text at {start}-{end}; accepted: offsets of characters, end excluded")
    if covered != covered.strip():
        raise _error(annotation, "begins or ends with white space; accepted: a span without it")


def _error(item: Annotation | Link, problem: str) -> DataError:
    return item.place.error(item.field, problem)


def _extent(annotation: Annotation) -> tuple[int, int]:
    return annotation.start, annotation.end


def _label(annotation: Annotation) -> tuple[str, str | None]:
    return annotation.label, annotation.sublabel


def _key(annotation: Annotation) -> tuple[int, int, str, str]:
    return *_extent(annotation), annotation.label, annotation.sublabel or ""


def _token_offsets(text: str, annotations: Iterable[Annotation]) -> list[tuple[int, int]]:
    cuts = sorted({edge for annotation in annotations for edge in _extent(annotation)})
    borders = [0, *cuts, len(text)]
    return [match.span() for start, end in pairwise(borders) for match in _TOKEN.finditer(text, start, end)]


def _token_ranges(
    place: Place, sentences: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return each sentence as a range of tokens; sentences without a token are left out."""
    ranges, first = [], 0
    for start, end in sentences:
        last = first
        while last < len(offsets) and start <= offsets[last][0] and offsets[last][1] <= end:
            last += 1
        if last > first:
            ranges.append((first, last))
        first = last
    if first < len(offsets):
        raise place.error(
            "sentences", f"do not hold the characters at {offsets[first][0]}; accepted: ranges in order that hold all"
        )
    return tuple(ranges)


def _ends(link: Link, ids: Mapping[str, int]) -> tuple[int, ...]:
    unknown = [number for number, name in enumerate(link.ends, start=1) if name not in ids]
    if unknown:
        raise _error(link, f"its end {unknown[0]} is no span's id; accepted: ids of the document's {len(ids)} spans")
    if len(set(link.ends)) < len(link.ends):
        raise _error(link, "names a span twice; accepted: different spans")
    return tuple(ids[name] for name in link.ends)


def _clusters(clusters: Sequence[tuple[Link, tuple[int, ...]]]) -> tuple[tuple[int, ...], ...]:
    taken: set[int] = set()
    for link, mentions in clusters:
        if not mentions or taken & set(mentions):
            raise _error(link, "is empty or shares a span with another cluster; accepted: spans of this cluster alone")
        taken |= set(mentions)
    return tuple(sorted(tuple(sorted(mentions)) for _, mentions in clusters))
