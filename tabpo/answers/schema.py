"""The JSON Schema of answers."""

from collections.abc import Callable, Sequence
from typing import Any

from tabpo.answers.ontology import Ontology


def answer_schema(ontology: Ontology, *, clusters: bool, most: int, spelt: Callable[[str], str]) -> dict[str, Any]:
    """Return the schema of answers that `parse` reads and that use only the ontology's names.

    Keys are in the order in which `render` writes them, and entities are numbered from 1 as in `render`. A schema
    cannot say whether a span is in the text, or whether the entity that a relation names exists.

    Args:
        ontology: Its labels, sub-labels and relations.
        clusters: Whether the answers have the key "coreference", as those of document units.
        most: Highest number of an entity.
        spelt: Maps a name to its spelling in the text that is checked.
    """
    if ontology.answer == "results":
        return _record(results=_list(anyOf=[_result(name, ontology, spelt) for name in ontology.labels]))
    labels = {"enum": [spelt(name) for name in ontology.labels]}
    entities = [_record(id={"const": number}, label=labels, span=_TEXT) for number in range(1, most + 1)]
    number = {"type": "integer", "minimum": 1, "maximum": most}
    relation = _record(head=number, label={"enum": [spelt(name) for name in ontology.relations]}, tail=number)
    lists = {
        "entities": {"type": "array", "prefixItems": entities, "items": False},
        "relations": _list(**relation) if ontology.relations else {"const": []},
    }
    return _record(**lists, **({"coreference": _list(**_list(**number))} if clusters else {}))


def strict_schema(ontology: Ontology, *, clusters: bool) -> dict[str, Any]:
    """Return the schema of answers within the subset of JSON Schema that endpoints enforce.

    In it every part has a type and a list has one form of item, so that, other than `answer_schema`, it cannot say that
    entities are numbered from 1.

    Args:
        ontology: Its labels, sub-labels and relations.
        clusters: As in `answer_schema`.
    """
    if ontology.answer == "results":
        kinds = [
            _record(Code=_one_of([name]), **{"Sub-code": _one_of(list(label.sublabels))}, Span=_TEXT)
            for name, label in ontology.labels.items()
        ]
        return _record(results=_list(anyOf=kinds))
    entity = _record(id=_NUMBER, label=_one_of(list(ontology.labels)), span=_TEXT)
    relation = _record(head=_NUMBER, label=_one_of(list(ontology.relations)), tail=_NUMBER)
    lists = {
        "entities": _list(**entity),
        "relations": _list(**relation) if ontology.relations else {**_list(**_NUMBER), "maxItems": 0},
    }
    return _record(**lists, **({"coreference": _list(**_list(**_NUMBER))} if clusters else {}))


_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}


def _one_of(names: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": names}


def _result(name: str, ontology: Ontology, spelt: Callable[[str], str]) -> dict[str, Any]:
    sublabels = [spelt(sublabel) for sublabel in ontology.labels[name].sublabels]
    return _record(Code={"const": spelt(name)}, **{"Sub-code": {"enum": sublabels}}, Span=_TEXT)


def _record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(**items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}
