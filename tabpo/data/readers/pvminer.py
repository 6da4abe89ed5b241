"""Reader of PV-Miner's messages (arXiv 2603.00025) in their published format, which has a query and an answer per row.

The end of a query holds the message and its direction, which is who writes it. Everything before that end is the
authors' prompt and is left out. The older format of EPPC Miner asks about one sentence and shows its neighbours. A row
may also have the message and its direction in columns instead of a query.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabpo.answers.grounding import ground
from tabpo.answers.ontology import Ontology
from tabpo.answers.render import parse
from tabpo.answers.units import document_units
from tabpo.data.jsonl import Place, check_unseen, identifier
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, build_document
from tabpo.data.tabular import read_rows
from tabpo.records import Document

DIRECTION = "TO_PAT_YN"
"""The attribute that says who writes: "Y" is a message to the patient, "N" one by the patient."""

FORMS = (("query", "answer"), ("message", DIRECTION, "answer"))
"""The two accepted sets of columns; the columns `id` and `group_id` are optional."""

_MESSAGE = re.compile(r"TO_PAT_YN:[ \t]*(?P<direction>[YN])\b[^\n]*\n\s*Context:(?P<text>.*)", re.DOTALL)
_SENTENCES = re.compile(
    r"Previous sentence:(?P<previous>.*?)Current sentence:(?P<text>.*?)Next sentence:(?P<next>.*)", re.DOTALL
)
_DIRECTION = re.compile(r"TO_PAT_YN:[ \t]*([YN])\b")
_OUTPUT = re.compile(r"\n\s*OUTPUT:\s*\Z")
_AFTER_NEXT = re.compile(r"\n\s*(?:OUTPUT:|TO_PAT_YN:).*", re.DOTALL)

_NO_ONTOLOGY = Ontology("results", {}, {})
"""Stands for the real ontology while spans are placed, which does not depend on labels; they are checked later."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read one document per row, in the order of the rows.

    Spans are placed by the rule that grounds a model's answer: at the first occurrence of their words that no equal
    result has taken. A row without an id gets `{file name}-{number}`. The attributes of a document are TO_PAT_YN and,
    in EPPC Miner's format, the sentences before and after.

    Raises:
        DataError: The file cannot be read, lacks columns, or has an id twice; a query does not end in the published
            way, an answer cannot be read, or a span is not in its message. The message names file, line and field.
    """
    reading = reading or Reading()
    return reading.each(_document, _rows(path, reading))


def _rows(path: Path, reading: Reading) -> Iterator[tuple[Place, dict[str, Any]]]:
    seen: dict[str, int] = {}
    for number, row in read_rows(path, FORMS, reading.of_one):
        with reading.of_one():
            doc_id = f"{path.stem}-{number:05d}"
            if row.get("id") is not None:
                doc_id = identifier(f"{path}, line {number}", {"id": str(row["id"])}, "id")
            place = Place(path, number, doc_id)
            check_unseen(place, "id", seen)
            yield place, row


def _document(place: Place, row: dict[str, Any]) -> Document:
    text, attributes = _asked(place, row["query"]) if "query" in row else _written(place, row)
    answered = parse(place.string("answer", row["answer"]), "results", clusters=False)
    if answered.answer_class != "ok":
        raise place.error(
            "answer", f'is {answered.answer_class}; accepted: {{"results": [{{"Code", "Sub-code", "Span"}}]}}'
        )
    group_id = row.get("group_id")
    (unit,) = document_units(build_document(place, text, {}), "document")
    annotations = {}
    for number, span in enumerate(ground(answered.answer, unit, _NO_ONTOLOGY)[0]):
        field = f"answer.results[{number}]"
        if span.start is None:
            raise place.error(field, "has a Span that is not in the message; accepted: words copied from the message")
        placed = Annotation(place, field, span.start, span.end, span.label, span.sublabel, text[span.start : span.end])
        annotations.setdefault((span.start, span.end, span.label, span.sublabel), placed)
    return build_document(
        place,
        text,
        {str(key): annotation for key, annotation in annotations.items()},
        group_id=None if group_id is None else place.string("group_id", str(group_id)),
        attributes=attributes,
    )


def _asked(place: Place, query: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the message or sentence at the end of a query, and its attributes."""
    query = place.string("query", query)
    starts = [match.start() for match in _DIRECTION.finditer(query)]
    message = next(filter(None, (_MESSAGE.match(query, start) for start in reversed(starts))), None)
    if message:
        return place.string("query", _OUTPUT.sub("", message["text"]).strip()), ((DIRECTION, message["direction"]),)
    sentences = _SENTENCES.match(query, max(query.rfind("Previous sentence:"), 0))
    if not (sentences and starts):
        raise place.error(
            "query",
            "does not end as published; accepted: TO_PAT_YN and Context, or Previous, Current and Next sentence",
        )
    near = {"previous": sentences["previous"].strip(), "next": _AFTER_NEXT.sub("", sentences["next"]).strip()}
    attributes = ((DIRECTION, _DIRECTION.match(query, starts[-1])[1]), *near.items())
    shown = tuple((name, value) for name, value in attributes if value not in ("", "None"))
    return place.string("query", sentences["text"].strip()), shown


def _written(place: Place, row: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    direction = row[DIRECTION]
    if direction not in ("Y", "N"):
        raise place.error(DIRECTION, "is neither Y nor N; accepted: Y, N")
    return place.string("message", row["message"]), ((DIRECTION, direction),)
