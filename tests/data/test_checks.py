"""Labels outside the ontology, and documents or groups in two splits."""

from dataclasses import replace

import pytest

from tabpo.data.checks import check_labels, check_splits
from tabpo.data.ontology import Label, Ontology, RelationType
from tabpo.errors import DataError
from tabpo.records import Document, Relation, Span

ENTITIES = Ontology("entities", {"Task": Label("", {}), "Method": Label("", {})}, {"USED-FOR": RelationType("", False)})
CODES = Ontology("results", {"Subject": Label("", {"None": "", "Age": ""}), "Effect": Label("", {"None": ""})}, {})


def document(*spans: tuple[str, str | None], doc_id: str = "d1", group_id: str | None = None) -> Document:
    return Document(
        doc_id=doc_id,
        group_id=group_id,
        text="secret words",
        tokens=("secret", "words"),
        sentences=((0, 2),),
        spans=tuple(Span(number, *span, 0, 6) for number, span in enumerate(spans, start=1)),
    )


def test_labels_of_the_ontology_pass():
    check_labels([replace(document(("Task", None)), relations=(Relation(1, 1, "USED-FOR"),))], ENTITIES, "a.json")
    check_labels([document(("Subject", "Age"), ("Effect", "None"))], CODES, "a.json")


@pytest.mark.parametrize(
    ("ontology", "span", "message"),
    [
        (ENTITIES, ("Metod", None), "label 'Metod' is unknown; accepted: Task, Method"),
        (ENTITIES, ("Task", "Age"), "sub-label 'Age' is none of label 'Task'; accepted: no sub-label"),
        (CODES, ("Effect", "Age"), "sub-label 'Age' is none of label 'Effect'; accepted: None"),
        (CODES, ("Subject", None), "sub-label None is none of label 'Subject'; accepted: None, Age"),
    ],
)
def test_other_labels_are_refused_with_their_place(ontology, span, message):
    good = document(("Task", None) if ontology is ENTITIES else ("Subject", "Age"), doc_id="d0")
    with pytest.raises(DataError, match=f"^a.json, line 2, document d1, span 1: {message}$"):
        check_labels([good, document(span)], ontology, "a.json")


def test_other_relations_are_refused_with_their_place():
    wrong = replace(document(("Task", None), ("Method", None)), relations=(Relation(1, 2, "FOR"),))
    message = "a.json, line 1, document d1, relation 1-2: label 'FOR' is unknown; accepted: USED-FOR"
    with pytest.raises(DataError, match=f"^{message}$"):
        check_labels([wrong], ENTITIES, "a.json")


def test_splits_apart_pass_without_groups_and_with():
    check_splits({"train": [document(doc_id="a")], "dev": [document(doc_id="b")], "test": [document(doc_id="c")]})
    check_splits({"train": [document(doc_id="a", group_id="g")] * 2, "dev": [document(doc_id="b", group_id="h")]})


def test_a_group_in_two_splits_is_named():
    splits = {
        "train": [document(doc_id="a", group_id="g")],
        "dev": [document(doc_id="b", group_id="h")],
        "test": [document(doc_id="c", group_id="g")],
    }
    with pytest.raises(DataError, match=r"^group g is in train and in test \(1 in all\); accepted: each group in one"):
        check_splits(splits)


def test_a_document_in_two_splits_is_named():
    with pytest.raises(DataError, match=r"^document a is in dev and in test"):
        check_splits({"train": [], "dev": [document(doc_id="a")], "test": [document(doc_id="a")]})
