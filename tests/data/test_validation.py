"""Labels outside the ontology are refused, and documents, groups and texts that are in two splits."""

from dataclasses import replace

import pytest

from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.data.jsonl import Place
from tabpo.data.validation import check_annotated, check_asked, check_labels, check_splits
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
        spans=tuple(Span(number, *span, *((0, 6), (7, 12))[number - 1]) for number, span in enumerate(spans, start=1)),
    )


def check(documents: list[Document], ontology: Ontology, *, private: bool = False) -> None:
    places = [Place("a.json", number, item.doc_id) for number, item in enumerate(documents, start=1)]
    check_labels(documents, ontology, places, private=private)


def test_prompts_about_sentences_ask_about_some_relation_or_none_is_there():
    whole = replace(document(("Task", None), ("Method", None)), relations=(Relation(1, 2, "USED-FOR"),))
    cut = replace(whole, doc_id="d2", sentences=((0, 1), (1, 2)))
    check_asked({"train": [cut], "test": [whole]}, "sentence")
    check_asked({"train": [cut], "test": [cut]}, "document")
    check_asked({"train": [replace(cut, relations=())], "test": []}, "sentence")
    message = r"^unit: sentence asks about none of the dataset's 2 relations, .*, and 1 clusters; accepted: unit: docum"
    with pytest.raises(DataError, match=message):
        check_asked({"train": [replace(cut, clusters=((1, 2),))], "test": [cut]}, "sentence")


def test_labels_of_the_ontology_pass():
    check([replace(document(("Task", None), ("Method", None)), relations=(Relation(1, 2, "USED-FOR"),))], ENTITIES)
    check([document(("Subject", "Age"), ("Effect", "None"))], CODES)


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
    with pytest.raises(DataError, match=f"^a.json, line 2, span 1: {message}$"):
        check([good, document(span)], ontology)


def test_other_relations_are_refused_with_their_place():
    wrong = replace(document(("Task", None), ("Method", None)), relations=(Relation(1, 2, "FOR"),))
    message = "a.json, line 1, relation 1-2: label 'FOR' is unknown; accepted: USED-FOR"
    with pytest.raises(DataError, match=f"^{message}$"):
        check([wrong], ENTITIES)


def test_splits_that_share_nothing_pass_with_and_without_groups():
    check_splits({"train": [document(doc_id="a")], "dev": [document(doc_id="b")], "test": [document(doc_id="c")]})
    check_splits({"train": [document(doc_id="a", group_id="g")] * 2, "dev": [document(doc_id="b", group_id="h")]})


def test_a_group_in_two_splits_is_refused_by_places():
    splits = {
        "train": [document(doc_id="a", group_id="g")],
        "dev": [document(doc_id="b", group_id="h")],
        "test": [document(doc_id="c", group_id="g")],
    }
    with pytest.raises(
        DataError, match=r"^document 1 of train and document 1 of test have the same group \(1 in all\)"
    ):
        check_splits(splits)


def test_a_document_in_two_splits_is_refused_by_places():
    with pytest.raises(DataError, match=r"^document 1 of dev and document 1 of test have the same document"):
        check_splits({"train": [], "dev": [document(doc_id="a")], "test": [document(doc_id="a")]})


def test_a_text_in_two_splits_is_refused_by_places():
    text = "one two three four five six seven eight"
    splits = {
        "train": [document(doc_id="a"), replace(document(doc_id="b"), text=text)],
        "dev": [replace(document(doc_id="c"), text=text)],
    }
    message = r"^document 2 of train and document 1 of dev have the same text \(1 such\); accepted: a text of 8 words"
    with pytest.raises(DataError, match=message):
        check_splits(splits)
    check_splits({split: [replace(item, text="Thank you !") for item in items] for split, items in splits.items()})


def test_an_unknown_label_in_private_data_is_not_shown():
    for ontology, span in ((ENTITIES, ("secret", None)), (CODES, ("Subject", "secret"))):
        with pytest.raises(DataError, match=r"line 1, span 1: (sub-)?label is ") as caught:
            check([document(span)], ontology, private=True)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("ontology", "spans", "accepted"),
    [
        (ENTITIES, [("Task", None), ("Method", None)], "one label a span, or several_labels: true in the ontology"),
        (CODES, [("Subject", "Age"), ("Subject", "Age")], "a span once with each label and sub-label"),
    ],
)
def test_a_span_that_answers_cannot_hold_twice(ontology, spans, accepted):
    twice = document(*spans)
    twice = replace(twice, spans=tuple(replace(span, start=0, end=6) for span in twice.spans))
    with pytest.raises(DataError, match=f"line 1, span 2: is there twice; accepted: {accepted}"):
        check([twice], ontology)


def test_a_split_without_any_annotation_is_refused():
    empty, annotated = document(), document(("Task", None))
    check_annotated({"train": [empty, annotated], "test": [annotated]})
    with pytest.raises(DataError, match=r"^dev has 2 documents and no annotation in any; accepted"):
        check_annotated({"train": [annotated], "dev": [empty, empty]})


def test_a_span_may_have_several_labels_where_the_ontology_says_so():
    twice = document(("Task", None), ("Method", None))
    twice = replace(twice, spans=tuple(replace(span, start=0, end=6) for span in twice.spans))
    check([twice], replace(ENTITIES, several_labels=True))
    same = replace(twice, spans=tuple(replace(span, label="Task") for span in twice.spans))
    with pytest.raises(DataError, match="relation 1-2: joins two labels of one span; accepted: two spans"):
        check([replace(twice, relations=(Relation(1, 2, "USED-FOR"),))], replace(ENTITIES, several_labels=True))
    with pytest.raises(DataError, match="span 2: is there twice; accepted: a span once with each label"):
        check([same], replace(ENTITIES, several_labels=True))
