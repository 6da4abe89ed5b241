"""The JSON Schema of answers."""

from collections.abc import Callable
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


_TEXT = {"type": "string"}


def _result(name: str, ontology: Ontology, spelt: Callable[[str], str]) -> dict[str, Any]:
    sublabels = [spelt(sublabel) for sublabel in ontology.labels[name].sublabels]
    return _record(Code={"const": spelt(name)}, **{"Sub-code": {"enum": sublabels}}, Span=_TEXT)


def _record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(**items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}
