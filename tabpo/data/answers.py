"""The JSON answer: rendered by one function for gold, chosen and rejected alike, and parsed strictly."""

import json
from dataclasses import dataclass

from tabpo.data.units import Unit
from tabpo.records import Relation


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """One annotated span as an answer states it; `id` is its number in the answer, from 1."""

    id: int
    label: str
    sublabel: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says; relations and clusters refer to spans by id, `clusters` is None where none are asked for."""

    spans: tuple[AnswerSpan, ...]
    relations: tuple[Relation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] | None = None


def gold_answer(unit: Unit) -> Answer:
    """The answer that a unit's annotations make; spans verbatim, in text order."""
    spans = tuple(
        AnswerSpan(span.id, span.label, span.sublabel, unit.text[span.start - unit.start : span.end - unit.start])
        for span in unit.spans
    )
    return Answer(spans=spans, relations=unit.relations, clusters=unit.clusters)


def render(answer: Answer, answer_format: str) -> str:
    """Compact JSON on one line, in the format "entities" or "results"; equal answers give equal text."""
    if answer_format == "results":
        content = {
            "results": [{"Code": span.label, "Sub-code": span.sublabel, "Span": span.text} for span in answer.spans]
        }
    else:
        content = {
            "entities": [{"id": span.id, "label": span.label, "span": span.text} for span in answer.spans],
            "relations": [
                {"head": relation.head, "label": relation.label, "tail": relation.tail}
                for relation in sorted(answer.relations, key=lambda item: (item.head, item.tail, item.label))
            ],
        }
        if answer.clusters is not None:
            content["coreference"] = [list(cluster) for cluster in answer.clusters]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
