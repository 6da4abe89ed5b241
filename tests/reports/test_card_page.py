"""The page of a data card has every number of the card, and for private data the notice that it must stay inside."""

from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.data.card import build_card
from tabpo.records import Document, Span
from tabpo.reports.card_page import render_card

ONTOLOGY = Ontology("entities", {"Task": Label("", {"Rare": "", "None": ""})}, {"USED-FOR": RelationType("", False)})


def documents(split: str, count: int) -> list[Document]:
    span = Span(1, "Task", "None", 0, 3)
    return [Document(f"{split}{n}", None, f"one {n}", ("one", str(n)), ((0, 2),), (span,)) for n in range(count)]


def page(*, private: bool) -> str:
    splits = {"train": documents("train", 12), "dev": documents("dev", 3)}
    card = build_card(splits, ONTOLOGY, {"train": {"labels: task -> Task": 2}}, {"train": {"events": 4}, "dev": {}})
    return render_card("notes", {"private": private} | card)


def test_every_number_is_on_the_page():
    lines = page(private=False).split("\n")
    assert (
        lines[0] == "# notes" and "Groups (`group_id`): absent: each document is taken for a group of its own." in lines
    )
    for line in (
        "|  | train | dev |",
        "| :--- | ---: | ---: |",
        "| Documents | 12 | 3 |",
        "| Tokens per document, mean | 2.0 | 2.0 |",
        "| Tokens per document, max | 2 | 2 |",
        "| Task | None | 12 | 3 |",
        "| Task | Rare | 0 | 0 |",
        "| USED-FOR | 0 | 0 |",
        "| train | labels: task -> Task | 2 |",
        "| train | events | 4 |",
        "| train and dev | 0 | 0 | 3 | 0 |",  # documents, groups, texts, runs
    ):
        assert line in lines


def test_the_page_of_private_data_is_complete_and_starts_with_the_notice():
    notice, rest = page(private=True).split("\n\n", maxsplit=1)
    assert notice.startswith("INSIDE ONLY: ") and rest == page(private=False)


def test_private_ids_that_may_be_names_are_pointed_out_without_the_names():
    names = [Document(name, None, "one", ("one",), ((0, 1),), ()) for name in ("Doe_John", "Roe_Jane")]
    card = build_card({"train": names[:1], "dev": names[1:]}, ONTOLOGY, {}, {})
    warned, public = (render_card("notes", {"private": private} | card) for private in (True, False))
    assert "**The ids of documents may be names of people." in warned and "Doe" not in warned
    assert "may be names" not in public
