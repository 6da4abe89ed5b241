"""The JSON answer: one function renders gold, chosen and rejected answers, and a strict parser reads them."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tabpo.answers.json_faults import json_fault
from tabpo.answers.units import Unit
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
    """The content of an answer; relations and clusters refer to spans by id. `clusters` may be None: not asked for."""

    spans: tuple[AnswerSpan, ...]
    relations: tuple[Relation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer as read: its class (DESIGN 4) and its content, which is empty unless the class is "ok"."""

    answer_class: str
    answer: Answer


ANSWER_CLASSES = ("empty", "truncated", "not_json", "too_deep", "duplicate_key", "wrong_shape", "ok")

_NOTHING = Answer(spans=())
_MAX_DIGITS = 9  # so that every id fits the int32 of `records`
_SPACE = re.compile(r"[ \t\n\r]*+")
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")

_ENTITY = {"id": int, "label": str, "span": str}
_RELATION = {"head": int, "label": str, "tail": int}
_RESULT = {"Code": str, "Sub-code": str, "Span": str}


def gold_answer(unit: Unit) -> Answer:
    """Return the answer that states a unit's annotations, with spans verbatim and in text order."""
    spans = tuple(
        AnswerSpan(span.id, span.label, span.sublabel, unit.text[span.start - unit.start : span.end - unit.start])
        for span in unit.spans
    )
    return Answer(spans=spans, relations=unit.relations, clusters=unit.clusters)


def render(answer: Answer, answer_format: str) -> str:
    """Write compact JSON on one line, in the format "entities" or "results"; equal answers give equal text."""
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


def is_rendered(text: str) -> bool:
    """Return whether a text begins like a rendered answer.

    Such a text has fields; the answers of preference data may be any text.
    """
    return text.startswith(('{"entities":[', '{"results":['))


def parse(text: str, answer_format: str, *, clusters: bool) -> Parsed:
    """Read an answer strictly; every text gets a class, nothing is raised, and time is linear in its length.

    The first class that applies: `empty` (only white space), `truncated`, `not_json`, `too_deep`, `duplicate_key` (all
    as `json_faults` defines them), `wrong_shape`, `ok`. The shape must be exactly that of `render`: no key more or less
    at any level, every value of its type (true and 1.0 are no integers, null is nothing), integers of at most nine
    digits, unique ids. The order of keys and items, the numbering of ids, white space between tokens and escapes in
    strings are free. What the values mean (labels, spans, ends of relations) is checked in `grounding`.

    Args:
        text: What a model generated, without the end-of-turn token.
        answer_format: "entities" or "results"; in "results", ids are positions from 1.
        clusters: Whether "entities" has, and must have, the key "coreference" (document units).
    """
    if not text.strip():
        return Parsed("empty", _NOTHING)
    if _SURROGATE.search(text) and (fault := json_fault(text)):
        return Parsed(fault, _NOTHING)
    content, end = _first_value(text)
    if type(content) in (dict, list) and not _ends(text, end):
        return Parsed("not_json", _NOTHING)  # text after a complete object cannot be continued to JSON
    read = _read_results(content) if answer_format == "results" else _read_entities(content, clusters)
    if read is None or not _ends(text, end):
        return Parsed(json_fault(text) or "wrong_shape", _NOTHING)
    return Parsed("ok", read)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("duplicate key")
    return content


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise ValueError("no id is that long")
    return int(digits)


def _refuse(literal: str) -> None:
    raise ValueError(f"answers hold no {literal}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse, strict=True
)


def decode(text: str) -> Any:
    """Return the value of a JSON text with keys and integers as `parse` accepts them; None for any other text."""
    content, end = _first_value(text)
    return content if _ends(text, end) else None


def _first_value(text: str) -> tuple[Any, int]:
    """Return the value at the beginning of a text and where it ends; None and 0 if there is none."""
    try:
        return _DECODER.raw_decode(text, _SPACE.match(text).end())
    except (ValueError, RecursionError):
        return None, 0


def _ends(text: str, end: int) -> bool:
    return _SPACE.match(text, end).end() == len(text)


def _read_results(content: Any) -> Answer | None:
    if not _is_record(content, {"results": list}) or not all(_is_record(item, _RESULT) for item in content["results"]):
        return None
    return Answer(
        spans=tuple(
            AnswerSpan(number, item["Code"], item["Sub-code"], item["Span"])
            for number, item in enumerate(content["results"], start=1)
        )
    )


def _read_entities(content: Any, clusters: bool) -> Answer | None:
    lists = {"entities": list, "relations": list} | ({"coreference": list} if clusters else {})
    if not (
        _is_record(content, lists)
        and all(_is_record(item, _ENTITY) for item in content["entities"])
        and all(_is_record(item, _RELATION) for item in content["relations"])
        and len({item["id"] for item in content["entities"]}) == len(content["entities"])
        and (not clusters or all(_is_cluster(item) for item in content["coreference"]))
    ):
        return None
    return Answer(
        spans=tuple(AnswerSpan(item["id"], item["label"], None, item["span"]) for item in content["entities"]),
        relations=tuple(Relation(item["head"], item["tail"], item["label"]) for item in content["relations"]),
        clusters=tuple(tuple(item) for item in content["coreference"]) if clusters else None,
    )


def _is_record(value: Any, fields: dict[str, type]) -> bool:
    return (
        type(value) is dict
        and value.keys() == fields.keys()
        and all(type(value[name]) is kind for name, kind in fields.items())
    )


def _is_cluster(value: Any) -> bool:
    return type(value) is list and all(type(item) is int for item in value)
