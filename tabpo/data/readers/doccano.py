"""Reader of doccano's JSONL exports: spans as triples, or entities with ids and relations between them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier, read_lines
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.records import Document

SPANS = ("label", "labels", "entities")
"""Keys of spans: the first two hold `[start, end, label]`, the last one objects."""

PASSED_OVER = "further keys passed over"
"""Keys as `Comments`, and columns of the imported file."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents in the order of the file. The `id`, a number, is the document's id.

    Args:
        path: The file.
        reading: Its `noticed` counts the keys that are `PASSED_OVER`.

    Raises:
        DataError: A line is not in this form. The message names file, line and field, and what is accepted; it contains
            no text of a document.
    """
    reading = reading or Reading()
    return reading.each(partial(_document, reading=reading), _rows(path, reading))


def _rows(path: Path, reading: Reading) -> Iterator[tuple[Place, dict[str, Any]]]:
    seen: dict[str, int] = {}
    for line, row in read_lines(path, reading.of_one):
        with reading.of_one():
            name = row.get("id")
            given = row | {"id": str(name)} if type(name) is int else row
            place = Place(path, line, identifier(f"{path}, line {line}", given, "id"))
            check_unseen(place, "id", seen)
            yield place, row


def _document(place: Place, row: dict[str, Any], reading: Reading) -> Document:
    text = place.string("text", row.get("text"))
    keys = [key for key in SPANS if key in row]
    if len(keys) != 1:
        raise place.error("the line", f"has {len(keys)} keys of spans; accepted: one of {', '.join(SPANS)}")
    annotations = {}
    for number, item in enumerate(place.items(keys[0], row[keys[0]])):
        field = f"{keys[0]}[{number}]"
        name, start, end, label = _span(place, field, item, number, by_id=keys[0] == "entities")
        place.integer(f"{field} start", start, 0, len(text))
        place.integer(f"{field} end", end, start + 1, len(text) + 1)
        annotations[name] = Annotation(place, field, start, end, label, None, text[start:end])
    links = []
    for number, item in enumerate(place.items("relations", row.get("relations", []))):
        field = f"relations[{number}]"
        place.fields(field, item, ("from_id", "to_id", "type"), ("id",))
        ends = (str(item["from_id"]), str(item["to_id"]))
        links.append(Link(place, field, ends, place.string(f"{field}.type", item["type"])))
    reading.noticed.update([PASSED_OVER] * len(row.keys() - {"id", "text", keys[0], "relations"}))
    return build_document(place, text, annotations, links)


def _span(place: Place, field: str, item: Any, number: int, *, by_id: bool) -> tuple[str, Any, Any, str]:
    """Return name, start, end and label of a span; one without an id is named by its number."""
    if by_id:
        place.fields(field, item, ("id", "label", "start_offset", "end_offset"))
        return str(item["id"]), item["start_offset"], item["end_offset"], place.string(f"{field}.label", item["label"])
    start, end, label = place.items(field, item, length=3)
    return str(number), start, end, place.string(f"{field} label", label)
