"""The JSON answer: rendered by one function for gold, chosen and rejected alike, and parsed strictly."""

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
    """What an answer says; relations and clusters refer to spans by id, `clusters` is None where none are asked for."""

    spans: tuple[AnswerSpan, ...]
    relations: tuple[Relation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer as read: its class (DESIGN 4) and what it says, which is nothing unless the class is "ok"."""

    answer_class: str
    answer: Answer


ANSWER_CLASSES = ("empty", "truncated", "not_json", "too_deep", "duplicate_key", "wrong_shape", "ok")

_NOTHING = Answer(spans=())
_MAX_DIGITS = 9  # every id then fits the int32 of `records`
_SPACE = re.compile(r"[ \t\n\r]*+")
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")

_ENTITY = {"id": int, "label": str, "span": str}
_RELATION = {"head": int, "label": str, "tail": int}
_RESULT = {"Code": str, "Sub-code": str, "Span": str}


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


def is_rendered(text: str) -> bool:
    """Whether a text begins as `render` begins, and so has fields; answers of preferences may be any text."""
    return text.startswith(('{"entities":[', '{"results":['))


def parse(text: str, answer_format: str, *, clusters: bool) -> Parsed:
    """Read an answer strictly; any string gets a class, none raises, and time is linear in its length.

    The first class that applies: `empty` (nothing but white space), `truncated`, `not_json`, `too_deep`,
    `duplicate_key` (all as `json_faults` defines them), `wrong_shape`, `ok`. The shape is exactly what `render`
    writes: no key more or less at any level, every value of its type (true is no integer, 1.0 neither, null nothing),
    integers of at most nine digits, ids unique. Order of keys and items, numbering of ids, white space between tokens
    and escapes in strings are free. What the values mean (labels, spans, ends of relations) is for `grounding`.

    Args:
        text: What a model generated, without the end-of-turn token.
        answer_format: "entities" or "results"; there, ids are positions from 1.
        clusters: Whether "entities" has, and must have, the key "coreference" (document units).
    """
    if not text.strip():
        return Parsed("empty", _NOTHING)
    if _SURROGATE.search(text) and (fault := json_fault(text)):
        return Parsed(fault, _NOTHING)
    content, end = _first_value(text)
    if type(content) in (dict, list) and not _ends(text, end):
        return Parsed("not_json", _NOTHING)  # nothing that goes on after a whole object begins JSON
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
    """The value of JSON that an answer could be, with keys and integers as in `parse`; None for every other text."""
    content, end = _first_value(text)
    return content if _ends(text, end) else None


def _first_value(text: str) -> tuple[Any, int]:
    """The value that a text begins with, and where it ends; None where it begins with none."""
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
