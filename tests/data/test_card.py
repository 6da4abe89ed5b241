"""The card of a dataset, compared with counts made by hand."""

from dataclasses import replace

import pytest

from tabpo.answers.ontology import Directions, Label, Ontology, RelationType
from tabpo.data.card import build_card, not_asked, possible_names
from tabpo.records import Document, Relation, Span

ONTOLOGY = Ontology(
    "entities",
    {"Task": Label("", {}), "Method": Label("", {"None": "", "Rare": ""})},
    {"USED-FOR": RelationType("", False), "COMPARE": RelationType("", True)},
)


def document(doc_id: str, text: str, group_id: str | None = None, **annotations) -> Document:
    tokens = tuple(text.split())
    spans = annotations.pop("spans", ())
    return Document(doc_id, group_id, text, tokens, ((0, len(tokens)),), spans, **annotations)


TRAIN = [
    document(
        "a",
        "one two three four",
        group_id="g",
        spans=(
            Span(1, "Method", "None", 0, 3),
            Span(2, "Method", "None", 0, 7),
            Span(3, "Task", None, 0, 7),
            Span(4, "Task", None, 8, 13),
        ),
        relations=(Relation(1, 4, "COMPARE"), Relation(2, 4, "USED-FOR"), Relation(3, 4, "COMPARE")),
        clusters=((1, 2, 3),),
    ),
    document("b", "a b c d e f g h i j k", group_id="g"),
]


def card_of(documents: dict, ontology: Ontology = ONTOLOGY, noticed: dict | None = None):
    return build_card(documents, ontology, {}, noticed or {})


DEV = [document("c", "x , B c D , e f g H i y"), document("d", "one two three four")]


def test_counts_by_hand():
    card = card_of({"train": TRAIN, "dev": DEV})
    # span 1 lies inside 2 and 3; 2 and 3 have equal offsets, so neither lies inside the other
    assert card["splits"]["train"] == {
        "documents": 2,
        "documents_with_group": 2,
        "documents_without_spans": 1,
        "groups": 1,
        "sentences": 2,
        "tokens": 15,
        "spans": 4,
        "nested_spans": 1,
        "relations": 3,
        "symmetric_relations": 2,
        "clusters": 1,
        "clusters_not_asked_by_sentence": 1,
        "mentions_in_clusters": 3,
        "characters_per_document": {"mean": 19.5, "max": 21},
        "tokens_per_document": {"mean": 7.5, "max": 11},
        "spans_per_document": {"mean": 2.0, "max": 4},
        "labels": {"Task": 2, "Method": 2},
        "sublabels": {"Method": {"None": 2, "Rare": 0}},
        "relation_labels": {"USED-FOR": 1, "COMPARE": 2},
        "spans_against_direction": 0,
    }
    assert card["group_id"] == "absent from some documents, each taken for a group of its own"
    assert card["splits"]["dev"]["documents_with_group"] == card["splits"]["dev"]["groups"] == 0


def test_what_prompts_about_sentences_leave_out():
    across = document(
        "e",
        "one two three four",
        spans=(Span(1, "Task", None, 0, 3), Span(2, "Task", None, 4, 7), Span(3, "Task", None, 8, 13)),
        relations=(Relation(1, 2, "USED-FOR"), Relation(1, 3, "USED-FOR"), Relation(1, 3, "USED-FOR")),
        clusters=((1, 1), (2, 3)),  # a lone mention, listed twice, and a cluster
    )
    card = card_of({"train": [replace(across, sentences=((0, 2), (2, 4)))], "dev": DEV})
    assert not_asked(card, "train") == {"relations": 1, "clusters": 1}
    assert not_asked(card, "dev") == {"relations": 0, "clusters": 0}
    assert card["splits"]["dev"]["relations_not_asked_by_sentence"] == 0
    card = card_of({"train": [replace(across, clusters=())], "dev": DEV})  # one sentence: no key in either
    assert not [key for split in card["splits"].values() for key in split if key.endswith("by_sentence")]


def test_what_readers_noticed_is_on_the_card_where_there_is_any():
    assert "noticed" not in card_of({"train": TRAIN, "dev": DEV}, noticed={"train": {}, "dev": {}})
    assert card_of({"dev": DEV}, noticed={"train": {}, "dev": {"notes": 2}})["noticed"] == {"dev": {"notes": 2}}


def test_leaks_by_hand():
    # shared consecutive words, without punctuation and case: b c d e f g h i, one run of eight; and one equal text
    leaks = card_of({"train": TRAIN, "dev": DEV})["leaks"]
    assert leaks == {"train-dev": {"documents": 0, "groups": 0, "texts": 1, "runs_of_8_words": 1}}
    leaks = card_of({"train": TRAIN, "dev": DEV, "test": TRAIN[1:]})["leaks"]
    assert leaks["train-test"] == {"documents": 1, "groups": 1, "texts": 1, "runs_of_8_words": 4}
    assert leaks["dev-test"] == {"documents": 0, "groups": 0, "texts": 0, "runs_of_8_words": 1}


def test_the_card_says_in_words_which_documents_have_groups():
    assert card_of({"train": TRAIN})["group_id"] == "all documents have one"
    assert card_of({"dev": DEV})["group_id"] == "absent: each document is taken for a group of its own"


def test_documents_in_another_order_make_the_same_card():
    assert card_of({"train": TRAIN[::-1], "dev": DEV[::-1]}) == card_of({"train": TRAIN, "dev": DEV})


def test_spans_against_the_direction_of_their_document():
    directions = Directions("to", {"Y": "", "N": ""}, {"Y": ("Task",), "N": ("Task", "Method")})
    spans = (Span(1, "Method", "None", 0, 3), Span(2, "Task", None, 0, 3))
    documents = [document(value, "one", spans=spans, attributes=(("to", value),)) for value in "YN"]
    card = card_of({"train": documents}, replace(ONTOLOGY, directions=directions))
    assert card["splits"]["train"]["spans_against_direction"] == 1


@pytest.mark.parametrize(
    ("ids", "groups", "kinds"),
    [
        (["Doe_John_1", "Doe_John_2", "Roe-Jane", "Müller, Eva"], None, ["document"]),  # 6 words of 4 ids
        (["SmithAnna01", "LeeBo02", "KimAda03"], None, ["document"]),
        (["n1", "n2", "n3"], ["smith", "lee", "kim"], ["group"]),
        (
            ["note_1", "note_2", "report_3", "report_4", "note_5"],
            ["p1", "p1", "p2", "p2", "p3"],
            [],
        ),  # 2 words of 5 ids
        (["8f3a", "ab12cdef", "00c4"], ["17", "18", "19"], []),
        (["only_1", "only_2"], None, []),
    ],
)
def test_ids_that_may_be_names_of_people(ids, groups, kinds):
    documents = [document(name, "x", group) for name, group in zip(ids, groups or [None] * len(ids), strict=True)]
    assert possible_names({"train": documents[:1], "test": documents[1:]}) == kinds
    card = card_of({"train": documents[:1], "test": documents[1:]})
    assert card.get("possible_names", []) == kinds
