"""Reader of Label Studio's JSON exports: a list of tasks, each with a text and the regions that people marked."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier, read_list
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.records import Document

UNANNOTATED = "tasks without an annotation, left out"
OTHER_RESULTS = "results that are neither labels nor relations, passed over"
BOTH_WAYS = "relations in both directions, read from the first end to the second"


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the tasks in the order of the file. The task's `id`, a number, is the document's id.

    The text is `data.text`, or the only text in `data`; `data.group_id`, if there is one, is the group. A region with
    several labels is several spans.

    Args:
        path: The file.
        reading: Its `noticed` counts `UNANNOTATED`, `OTHER_RESULTS` and `BOTH_WAYS`.

    Raises:
        DataError: The file is not in this form, a task has several annotations that are not cancelled, or a region is
            not the text at its offsets. The message names file, task and field, and what is accepted; it contains no
            text of a document.
    """
    reading = reading or Reading()
    return reading.each(partial(_document, reading=reading), _tasks(path, reading))


def _tasks(path: Path, reading: Reading) -> Iterator[tuple[Place, tuple[dict[str, Any], dict[str, Any]]]]:
    seen: dict[str, int] = {}
    for number, task in enumerate(read_list(path), start=1):
        with reading.of_one():
            name = task.get("id")
            given = task | {"id": str(name)} if type(name) is int else task
            place = Place(path, number, identifier(f"{path}, task {number}", given, "id"))
            check_unseen(place, "id", seen)
            finished = [item for item in place.items("annotations", task.get("annotations")) if _is_finished(item)]
            if len(finished) > 1:
                raise place.error(
                    "annotations", f"are {len(finished)}; accepted: one, and second annotations in a file of their own"
                )
            if finished:
                yield place, (task, finished[0])
            else:
                reading.noticed[UNANNOTATED] += 1


def _is_finished(annotation: Any) -> bool:
    return isinstance(annotation, dict) and not annotation.get("was_cancelled")


def _document(place: Place, content: tuple[dict[str, Any], dict[str, Any]], reading: Reading) -> Document:
    task, annotation = content
    data = task.get("data")
    text = _text(place, data)
    annotations, names, links = {}, {}, []
    for number, item in enumerate(place.items("result", annotation.get("result"))):
        field = f"result[{number}]"
        if not isinstance(item, dict):
            raise place.error(field, "is no object; accepted: a region or a relation")
        if item.get("type") in ("labels", "hypertextlabels"):
            regions = _regions(place, field, item, text)
            names[item.get("id")] = list(regions)
            annotations |= regions
        elif item.get("type") != "relation":
            reading.noticed[OTHER_RESULTS] += 1
    for number, item in enumerate(annotation["result"]):
        if item.get("type") == "relation":
            links += _relations(place, f"result[{number}]", item, names, reading)
    group_id = data.get("group_id")
    return build_document(place, text, annotations, links, group_id=None if group_id is None else str(group_id))


def _text(place: Place, data: Any) -> str:
    if not isinstance(data, dict):
        raise place.error("data", "is no object; accepted: an object with the text")
    texts = [value for key, value in data.items() if isinstance(value, str) and key != "group_id"]
    if "text" not in data and len(texts) != 1:
        raise place.error("data", f"has no key text, and {len(texts)} texts; accepted: text, or one text")
    return place.string("data.text", data.get("text", texts[0] if texts else None))


def _regions(place: Place, field: str, item: dict[str, Any], text: str) -> dict[str, Annotation]:
    """Return a span for each label of a region. Offsets may count UTF-16 units, as browsers do, or characters."""
    value = item.get("value")
    if not isinstance(value, dict):
        raise place.error(f"{field}.value", "is no object; accepted: start, end, text and labels")
    labels = place.items(f"{field}.value.labels", value.get("labels", value.get("hypertextlabels")))
    if not labels:
        raise place.error(f"{field}.value.labels", "is empty; accepted: a label")
    start, end = (
        place.integer(f"{field}.value.{key}", value.get(key), 0, 2 * len(text) + 1) for key in ("start", "end")
    )
    stated = place.string(f"{field}.value.text", value.get("text"))
    if text[start:end] != stated:
        units = text.encode("utf-16-le")
        start, end = (len(units[: 2 * offset].decode("utf-16-le", "ignore")) for offset in (start, end))
    return {
        f"{field} {place.string(field, label)}": Annotation(place, field, start, end, label, None, stated)
        for label in labels
    }


def _relations(
    place: Place, field: str, item: dict[str, Any], names: dict[Any, list[str]], reading: Reading
) -> list[Link]:
    """Return a relation for each label; where a region has several labels, its ends are the first."""
    ends = [item.get("from_id"), item.get("to_id")]
    labels = place.items(f"{field}.labels", item.get("labels", []))
    if not labels:
        raise place.error(f"{field}.labels", "is empty; accepted: a relation with a label")
    direction = item.get("direction", "right")
    if direction not in ("right", "left", "bi"):
        raise place.error(f"{field}.direction", "is unknown; accepted: right, left, bi")
    if direction == "bi":
        reading.noticed[BOTH_WAYS] += 1
    head, tail = reversed(ends) if direction == "left" else ends
    spans = tuple(names[end][0] if end in names else str(end) for end in (head, tail))
    return [Link(place, field, spans, place.string(f"{field}.labels", label)) for label in labels]
