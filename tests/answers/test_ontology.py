"""An annotation scheme is read completely, or refused with the place of the fault and what is accepted."""

import copy
from pathlib import Path

import pytest
import yaml

from tabpo.answers.ontology import read_ontology
from tabpo.errors import ConfigError

ONTOLOGIES = sorted((Path(__file__).parents[2] / "config/ontologies").glob("*.yaml"))
CODES = {
    "answer": "results",
    "labels": {"Drug": {"definition": "A drug.", "sublabels": {"None": "Any.", "Brand": "A brand."}}},
    "variants": {"sublabels": {"brand": "Brand"}},
}
CONTENT = {
    "answer": "entities",
    "labels": {"Drug": {"definition": "A drug."}},
    "relations": {"SAME": {"definition": "The same.", "symmetric": True}},
    "variants": {"labels": {"drug": "Drug"}},
    "directions": {"attribute": "to", "values": {"Y": {"definition": "To Y.", "labels": ["Drug"]}}},
}


def write(folder: Path, content: object) -> Path:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_all_keys(tmp_path):
    ontology = read_ontology(write(tmp_path, CONTENT))
    assert ontology.valid("Drug", None) and not ontology.valid("Drug", "Brand")
    assert ontology.relations["SAME"].symmetric
    assert ontology.variants == {"labels": {"drug": "Drug"}, "sublabels": {}, "relations": {}}
    assert ontology.directions.labels == {"Y": ("Drug",)}
    codes = read_ontology(write(tmp_path, CODES))
    assert codes.valid("Drug", "Brand") and not codes.valid("Drug", None)
    assert codes.variants["sublabels"] == {"brand": "Brand"}


def test_roles_of_relations_as_files_spell_them(tmp_path):
    variants = {"relations": {"CAUSE": "SAME"}}
    roles = {"CAUSE": ["Agent", "Effect"], "COREF": ["Anaphor", "Antecedent"]}
    content = CONTENT | {"variants": variants, "coreference": "COREF", "roles": roles}
    assert read_ontology(write(tmp_path, content)).roles == {name: tuple(two) for name, two in roles.items()}


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"OTHER": ["A", "B"]}, ", roles.OTHER: names no relation; accepted: SAME$"),
        ({"SAME": ["A"]}, r", roles.SAME is \['A'\]; accepted: \[role of the head, role of the tail\], two"),
        ({"SAME": ["A", "A"]}, r", roles.SAME is \['A', 'A'\]; accepted: "),
        ({"SAME": ["A", 2]}, r", roles.SAME is \['A', 2\]; accepted: "),
    ],
)
def test_roles_are_two_names_of_a_relation(tmp_path, roles, message):
    with pytest.raises(ConfigError, match=message):
        read_ontology(write(tmp_path, CONTENT | {"roles": roles}))


def test_how_brat_lines_are_read(tmp_path):
    labels = {name: {"definition": "A drug."} for name in ("Drug", "Drug/negated", "Drug/negated/past")}
    attributes = {"Negation": "negated", "History": "past"}
    content = CONTENT | {"labels": labels, "attribute_labels": attributes, "passed_over": ["events"]}
    ontology = read_ontology(write(tmp_path, content))
    assert (ontology.attribute_labels, ontology.passed_over) == (attributes, ("events",))
    message = (
        r", attribute_labels.Negation is 'negated', and no label has it behind a slash; accepted: Drug/negated amo"
    )
    with pytest.raises(ConfigError, match=message):
        read_ontology(write(tmp_path, CONTENT | {"attribute_labels": {"Negation": "negated"}}))
    with pytest.raises(ConfigError, match=r", passed_over is \['spans'\]; accepted: a list of attributes, events$"):
        read_ontology(write(tmp_path, CONTENT | {"passed_over": ["spans"]}))


def test_labels_have_the_levels_that_answers_state(tmp_path):
    path = write(tmp_path, CONTENT | {"labels": CODES["labels"]})
    with pytest.raises(ConfigError, match=r", labels.Drug: has sublabels, .* accepted: the format results$"):
        read_ontology(path)
    path = write(tmp_path, {"answer": "results", "labels": CONTENT["labels"]})
    with pytest.raises(ConfigError, match=r', labels.Drug: has no sublabels; accepted: .*"None" for a code'):
        read_ontology(path)


@pytest.mark.parametrize("path", ONTOLOGIES, ids=lambda path: path.stem)
def test_ontologies_of_the_project(path):
    assert read_ontology(path).labels


def test_clinical_care_is_two_sublabels():
    ontology = read_ontology(next(path for path in ONTOLOGIES if path.stem == "pvminer"))
    assert ontology.valid("PartnershipPatient", "Clinical care") and ontology.valid(
        "PartnershipProvider", "Clinical Care"
    )
    assert not ontology.valid("PartnershipPatient", "Clinical Care")
    assert not {"Clinical care", "Clinical Care"} & set(ontology.variants["sublabels"])


FAULTS = [
    ("lables", {}, ": has unknown 'lables'; accepted: answer, labels, relations (optional), variants (optional)"),
    ("labels", None, ": lacks labels; accepted: answer, labels"),
    ("labels", {}, ": labels is empty; accepted: at least one label"),
    ("labels", ["Drug"], ": labels is no mapping; accepted: a mapping from names to entries"),
    ("answer", "json", ": answer is 'json'; accepted: entities, results"),
    ("answer", "results", ": answers in the format results have no relations; accepted: the format entities"),
    ("labels/Drug/sublables", {}, ", labels.Drug: has unknown 'sublables'; accepted: definition, sublabels (optional)"),
    ("labels/Drug/definition", None, ", labels.Drug: lacks definition; accepted: definition, sublabels"),
    ("labels/Drug/definition", 3, ", labels.Drug.definition is 3; accepted: a text"),
    ("relations/SAME/symmetric", "yes", ", relations.SAME.symmetric is 'yes'; accepted: true, false"),
    ("variants/labels/Drug", "Drug", ", variants.labels: 'Drug' is a name itself; accepted: other spellings"),
    ("variants/labels/drog", "Drog", ", variants.labels: 'drog' stands for 'Drog'; accepted: Drug"),
    ("coreference", "SAME", ": coreference is 'SAME', one of relations; accepted: another name"),
    ("coreference", 3, ", coreference is 3; accepted: a text"),
    ("directions/values/Y/labels", ["Drog"], ", directions.Y.labels has 'Drog'; accepted: Drug"),
]


@pytest.mark.parametrize(("place", "value", "message"), FAULTS)
def test_messages_name_the_fault(tmp_path, place, value, message):
    content = copy.deepcopy(CONTENT)
    *parents, last = place.split("/")
    entry = content
    for key in parents:
        entry = entry[key]
    entry[last] = value
    if value is None:
        del entry[last]
    path = write(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        read_ontology(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_files_that_are_no_ontology(tmp_path):
    with pytest.raises(
        ConfigError, match=r"none.yaml: no such ontology \(No such file or directory\); accepted: a YAML"
    ):
        read_ontology(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"no such ontology \(Is a directory\)"):
        read_ontology(tmp_path)
    path = tmp_path / "own.yaml"
    path.write_bytes(b"answer: [")
    with pytest.raises(ConfigError, match=r"own.yaml, line \d+: is no YAML: .*while parsing a flow"):
        read_ontology(path)
    path.write_text("labels: {No: {definition: x}}\nanswer: entities\n")
    with pytest.raises(ConfigError, match='labels has the name False, which is no text; write it in quotes: "No"'):
        read_ontology(path)


def test_several_labels_are_for_entities(tmp_path):
    assert read_ontology(write(tmp_path, CONTENT | {"several_labels": True})).labels_share_spans
    assert not read_ontology(write(tmp_path, CONTENT)).labels_share_spans
    assert read_ontology(write(tmp_path, CODES)).labels_share_spans
    for content in (CODES | {"several_labels": True}, CONTENT | {"several_labels": 1}):
        with pytest.raises(ConfigError, match=r"several_labels is .*; accepted: true, false, in the format entities"):
            read_ontology(write(tmp_path, content))
