"""The schema that endpoints enforce: gold answers follow it, other labels do not, and it keeps to their subset."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tabpo.answers.ontology import read_ontology
from tabpo.answers.schema import strict_schema

ONTOLOGIES = Path(__file__).parents[2] / "config/ontologies"
ENTITIES = {
    "entities": [{"id": 1, "label": "Task", "span": "parsing"}, {"id": 2, "label": "Method", "span": "a parser"}],
    "relations": [{"head": 2, "label": "USED-FOR", "tail": 1}],
}
RESULTS = {"results": [{"Code": "AdverseEvent.Subject", "Sub-code": "Age", "Span": "a man"}]}
FORBIDDEN = {"prefixItems", "const", "allOf", "not", "if", "oneOf", "uniqueItems", "patternProperties"}


def follows(ontology: str, answer: dict, *, clusters: bool = False) -> bool:
    schema = strict_schema(read_ontology(ONTOLOGIES / f"{ontology}.yaml"), clusters=clusters)
    return Draft202012Validator(schema).is_valid(answer)


def test_answers_in_the_ontology_follow_the_schema():
    assert follows("scierc", ENTITIES)
    assert follows("scierc", {"entities": [], "relations": []})
    assert follows("scierc", ENTITIES | {"coreference": [[1, 2]]}, clusters=True)
    assert follows("phee", RESULTS)


@pytest.mark.parametrize(
    "answer",
    [
        {"entities": []},
        ENTITIES | {"coreference": []},
        ENTITIES | {"relations": [{"head": 2, "label": "USES", "tail": 1}]},
        ENTITIES | {"entities": [{"id": 1, "label": "Tasks", "span": "parsing"}]},
        ENTITIES | {"entities": [{"id": "1", "label": "Task", "span": "parsing"}]},
        ENTITIES | {"entities": [{"id": 1, "label": "Task"}]},
    ],
)
def test_other_answers_do_not(answer):
    assert not follows("scierc", answer)


def test_a_sub_code_of_another_code_does_not_follow():
    ontology = read_ontology(ONTOLOGIES / "phee.yaml")
    codes = {name: list(label.sublabels) for name, label in ontology.labels.items()}
    for code, own in codes.items():
        for sub_code in {name for names in codes.values() for name in names}:
            answer = {"results": [{"Code": code, "Sub-code": sub_code, "Span": "x"}]}
            assert follows("phee", answer) is (sub_code in own)


def test_without_relations_the_list_is_empty():
    schema = strict_schema(replace(read_ontology(ONTOLOGIES / "scierc.yaml"), relations={}), clusters=False)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"entities": [], "relations": []})
    assert not validator.is_valid({"entities": [], "relations": [1]})


@pytest.mark.parametrize("name", ["scierc", "phee", "pvminer"])
def test_every_part_has_a_type_and_every_object_is_closed(name):
    schema = strict_schema(read_ontology(ONTOLOGIES / f"{name}.yaml"), clusters=True)
    waiting, text = [schema], json.dumps(schema)
    assert not [word for word in FORBIDDEN if f'"{word}":' in text]
    while waiting:
        part = waiting.pop()
        assert "anyOf" in part or part["type"] in ("object", "array", "string", "integer")
        if part.get("type") == "object":
            assert part["additionalProperties"] is False and part["required"] == list(part["properties"])
        waiting += [*part.get("properties", {}).values(), *part.get("anyOf", ())]
        waiting += [part["items"]] if "items" in part else []
