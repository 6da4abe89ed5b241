"""PHEE 2.0 (Sun et al., EMNLP 2022, arXiv 2210.12560) from its published events, as code, sub-code and span.

A code is an event type and a main argument; the argument's whole span has sub-code "None", its details their own
names. The trigger of a combination of drugs is Treatment / Combination, a cue of an event attribute Attribute / the
attribute's name. A span in several pieces becomes several spans, equal ones of several events become one, and the
grouping into events is lost.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, read_objects
from tabpo.records import Document, Span

KEYS = ("id", "context", "is_mult_event", "annotations")

EVENTS = {"Adverse_event": "AdverseEvent", "Potential_therapeutic_event": "TherapeuticEvent"}
"""Event types of the files, and how codes name them."""

DETAILS = {
    "Trigger": (),
    "Subject": ("Age", "Gender", "Race", "Population", "Disorder"),
    "Treatment": ("Drug", "Dosage", "Freq", "Route", "Time_elapsed", "Duration", "Disorder"),
    "Effect": (),
}
"""Sub-arguments of each main argument."""

CUES = ("Speculated", "Negated", "Severity")

_ENTITY = ("text", "start", "entity_id")

_Found = tuple[int, int, str, str]
"""Start, end, code, sub-code: the order of spans."""


def read_documents(path: Path) -> list[Document]:
    """Sentences in the file's order; the group is the article (PubMed id), tokens are split at white space.

    A span must stand in the text where the file says; only its white space may differ (it does once, in test).

    Raises:
        DataError: The file is not in the published format: names file, line, sentence, field and what is accepted.
    """
    return [_document(place, row) for place, row in read_objects(path, "id", KEYS)]


def _document(place: Place, row: dict[str, Any]) -> Document:
    group_id, _, number = place.doc_id.rpartition("_")
    if not group_id or not number:
        raise place.error("id", "names no article; accepted: article, underscore, sentence")
    text = place.string("context", row["context"])
    events = list(_events(place, row["annotations"]))
    found = {item for field, event in events for item in _event(place, field, event, text)}
    tokens = tuple(text.split())
    return Document(
        doc_id=place.doc_id,
        group_id=group_id,
        text=text,
        tokens=tokens,
        sentences=((0, len(tokens)),),
        spans=tuple(
            Span(position, code, subcode, start, end)
            for position, (start, end, code, subcode) in enumerate(sorted(found), start=1)
        ),
        attributes=(("events", str(len(events))),),
    )


def _events(place: Place, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, annotation in enumerate(place.items("annotations", value)):
        field = f"annotations[{number}]"
        place.fields(field, annotation, ("events",))
        for position, event in enumerate(place.items(f"{field}.events", annotation["events"])):
            yield f"{field}.events[{position}]", event


def _event(place: Place, field: str, event: Any, text: str) -> Iterator[_Found]:
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
    """Sub-code, field and entity of an argument and of each of its details."""
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
    """Characters of each piece of each span of an entity, outer white space left out."""
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
