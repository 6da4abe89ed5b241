"""Reader of a user's data with a user's labels: JSON lines with character offsets, or a folder in brat's format."""

from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, read_objects
from tabpo.data.readers import brat
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.records import Document

KEYS = ("id", "text", "spans")
OPTIONAL = ("group_id", "relations", "clusters", "sentences", "attributes")
SPAN_KEYS = ("start", "end", "label", "text")


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents of a .jsonl file in its order, or those of a brat folder sorted by id.

    docs/own_data.md describes both formats; brat's needs `reading.ontology`.

    Raises:
        DataError: The input does not have the format. The message names file, line and field, and what is accepted; it
            contains no text of a document.
    """
    reading = reading or Reading()
    if path.is_dir():
        return brat.read_documents(path, reading)
    return reading.each(document_of, read_objects(path, "id", KEYS, OPTIONAL, reading.of_one))


def document_of(place: Place, row: dict[str, Any]) -> Document:
    """Make the document of one line, which has all of `KEYS` and perhaps some of `OPTIONAL`."""
    text = place.string("text", row["text"])
    spans = place.items("spans", row["spans"])
    annotations = dict(_annotation(place, number, span) for number, span in enumerate(spans))
    if len(annotations) < len(spans):
        raise place.error("spans", "have an id twice; accepted: an id that no other span of the document has")
    group_id = row.get("group_id")
    return build_document(
        place,
        text,
        annotations,
        [*_relations(place, row.get("relations", [])), *_clusters(place, row.get("clusters", []))],
        sentences=_sentences(place, row["sentences"], len(text)) if "sentences" in row else None,
        group_id=None if group_id is None else place.string("group_id", group_id),
        attributes=_attributes(place, row.get("attributes", {})),
    )


def _annotation(place: Place, number: int, span: Any) -> tuple[str, Annotation]:
    """Return the name of a span and the span; the name is its id, or its field in the row if it has no id."""
    field = f"spans[{number}]"
    place.fields(field, span, SPAN_KEYS, ("id", "sublabel"))
    name = place.string(f"{field}.id", span["id"]) if "id" in span else field
    sublabel = span.get("sublabel")
    return name, Annotation(
        place=place,
        field=field,
        start=span["start"],
        end=span["end"],
        label=place.string(f"{field}.label", span["label"]),
        sublabel=None if sublabel is None else place.string(f"{field}.sublabel", sublabel),
        text=place.string(f"{field}.text", span["text"]),
    )


def _relations(place: Place, value: Any) -> list[Link]:
    links = []
    for number, relation in enumerate(place.items("relations", value)):
        field = f"relations[{number}]"
        place.fields(field, relation, ("head", "label", "tail"))
        head, label, tail = (place.string(f"{field}.{key}", relation[key]) for key in ("head", "label", "tail"))
        links.append(Link(place, field, (head, tail), label))
    return links


def _clusters(place: Place, value: Any) -> list[Link]:
    links = []
    for number, cluster in enumerate(place.items("clusters", value)):
        field = f"clusters[{number}]"
        mentions = place.items(field, cluster)
        links.append(Link(place, field, tuple(place.string(field, mention) for mention in mentions)))
    return links


def _sentences(place: Place, value: Any, length: int) -> list[tuple[int, int]]:
    ranges = []
    for number, item in enumerate(place.items("sentences", value)):
        field = f"sentences[{number}]"
        start, end = place.items(field, item, length=2)
        place.integer(f"{field} start", start, 0, length)
        place.integer(f"{field} end", end, start + 1, length + 1)
        ranges.append((start, end))
    return ranges


def _attributes(place: Place, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise place.error("attributes", "is no object; accepted: an object of strings")
    return tuple(
        (name, place.string(f"attributes, entry {n}", item)) for n, (name, item) in enumerate(value.items(), start=1)
    )
