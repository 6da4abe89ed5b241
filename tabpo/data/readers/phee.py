"""Reader of PHEE 2.0 (Sun et al., EMNLP 2022, arXiv 2210.12560): its published events become codes with spans.

- A code consists of an event type and a main argument, as in AdverseEvent.Subject.
- The whole span of a main argument has the sub-code "None"; its sub-arguments have their names as sub-codes.
- The trigger of a drug combination has the argument Treatment and the sub-code Combination.
- The cue of an event attribute has the argument Attribute, and the attribute's name as sub-code.
- A span in several pieces becomes several spans. Equal spans of several events become one span. Which spans belong to
  the same event is not kept.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, read_objects
from tabpo.data.reading import Reading
from tabpo.records import Document, Span

KEYS = ("id", "context", "is_mult_event", "annotations")

EVENTS = {"Adverse_event": "AdverseEvent", "Potential_therapeutic_event": "TherapeuticEvent"}
"""Event types in the files, and their names in codes."""

DETAILS = {
    "Trigger": (),
    "Subject": ("Age", "Gender", "Race", "Population", "Disorder"),
    "Treatment": ("Drug", "Dosage", "Freq", "Route", "Time_elapsed", "Duration", "Disorder"),
    "Effect": (),
}
"""Sub-arguments of each main argument."""

CUES = ("Speculated", "Negated", "Severity")

_ENTITY = ("text", "start", "entity_id")

_CodedSpan = tuple[int, int, str, str]
"""Start, end, code and sub-code; spans are sorted in this order."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read one document per sentence, in the order of the file.

    The group of a document is its article (PubMed id), and its tokens are split at white space. A span must be in the
    text at the offset that the file states; only its white space may differ, as it does once in the test split.

    Raises:
        DataError: The file is not in the published format. The message names file, line and field, and what is
            accepted.
    """
    reading = reading or Reading()
    return reading.each(_document, read_objects(path, "id", KEYS, of_one=reading.of_one))


def _document(place: Place, row: dict[str, Any]) -> Document:
    group_id, _, number = place.doc_id.rpartition("_")
    if not group_id or not number:
        raise place.error("id", "names no article; accepted: article, underscore, sentence")
    text = place.string("context", row["context"])
    events = list(_events(place, row["annotations"]))
    coded = {item for field, event in events for item in _event(place, field, event, text)}
    tokens = tuple(text.split())
    return Document(
        doc_id=place.doc_id,
        group_id=group_id,
        text=text,
        tokens=tokens,
        sentences=((0, len(tokens)),),
        spans=tuple(
            Span(position, code, subcode, start, end)
            for position, (start, end, code, subcode) in enumerate(sorted(coded), start=1)
        ),
        attributes=(("events", str(len(events))),),
    )


def _events(place: Place, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, annotation in enumerate(place.items("annotations", value)):
        field = f"annotations[{number}]"
        place.fields(field, annotation, ("events",))
        for position, event in enumerate(place.items(f"{field}.events", annotation["events"])):
            yield f"{field}.events[{position}]", event


def _event(place: Place, field: str, event: Any, text: str) -> Iterator[_CodedSpan]:
    place.fields(field, event, ("event_id", "event_type"), (*DETAILS, *CUES))
    kind = place.string(f"{field}.event_type", event["event_type"])
    if kind not in EVENTS:
        raise place.error(f"{field}.event_type", f"is unknown; accepted: {', '.join(EVENTS)}")
    prefix = EVENTS[kind]
    for role in [role for role in DETAILS if role in event]:
        for subcode, name, entity in _argument(place, f"{field}.{role}", event[role], role):
            yield from ((*piece, f"{prefix}.{role}", subcode) for piece in _pieces(place, name, entity, text))
    for cue in [cue for cue in CUES if cue in event]:
        name = f"{field}.{cue}"
        place.fields(name, event[cue], ("value",), _ENTITY)
        if "text" in event[cue]:
            yield from ((*piece, f"{prefix}.Attribute", cue) for piece in _pieces(place, name, event[cue], text))


def _argument(place: Place, field: str, argument: Any, role: str) -> Iterator[tuple[str, str, Any]]:
    """Yield sub-code, field and entity of a main argument and of each of its sub-arguments."""
    combined = ("Combination",) if role == "Treatment" else ()
    place.fields(field, argument, _ENTITY, (*DETAILS[role], *combined))
    yield "None", field, {key: argument[key] for key in _ENTITY}
    for detail in DETAILS[role]:
        if detail in argument:
            yield detail, f"{field}.{detail}", argument[detail]
    for number, event in enumerate(place.items(f"{field}.Combination", argument.get("Combination", []))):
        name = f"{field}.Combination[{number}]"
        place.fields(name, event, ("Trigger",), ("event_id", "event_type", "Drug"))
        yield "Combination", f"{name}.Trigger", event["Trigger"]


def _pieces(place: Place, field: str, entity: Any, text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each piece of each span of an entity, without white space around the piece."""
    place.fields(field, entity, ("text", "start"), ("entity_id", "value"))
    spans = place.items(f"{field}.text", entity["text"])
    starts = place.items(f"{field}.start", entity["start"], length=len(spans))
    for number, (pieces, offsets) in enumerate(zip(spans, starts, strict=True)):
        place.items(f"{field}.text[{number}]", pieces)
        place.items(f"{field}.start[{number}]", offsets, length=len(pieces))
        for position, (piece, offset) in enumerate(zip(pieces, offsets, strict=True)):
            name = f"[{number}][{position}]"
            words = place.string(f"{field}.text{name}", piece).split()
            place.integer(f"{field}.start{name}", offset, 0, len(text))
            lead = len(piece) - len(piece.lstrip())
            match = re.compile(r"\s+".join(map(re.escape, words))).match(text, offset + lead)
            if match is None:
                raise place.error(f"{field}.text{name}", f"is not the text at {offset}; accepted: a verbatim span")
            yield match.span()
