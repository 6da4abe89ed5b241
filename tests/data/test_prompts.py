"""Prompts and their gold answers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.data.prompts import EXAMPLES, TEXT, Style, build_prompts, instructions
from tabpo.errors import ConfigError, DataError
from tabpo.records import Document, Message, Relation, Span

ONTOLOGIES = Path(__file__).parents[2] / "config/ontologies"
SCIERC = read_ontology(ONTOLOGIES / "scierc.yaml")
PHEE = read_ontology(ONTOLOGIES / "phee.yaml")
PVMINER = read_ontology(ONTOLOGIES / "pvminer.yaml")

DOCUMENT = Document(
    doc_id="W01",
    group_id=None,
    text="A parser works . It wins",
    tokens=("A", "parser", "works", ".", "It", "wins"),
    sentences=((0, 4), (4, 6)),
    spans=(Span(1, "Method", None, 2, 8), Span(2, "Generic", None, 17, 19)),
    relations=(),
    clusters=((1, 2),),
)
SENTENCE = Document(
    doc_id="123_4",
    group_id="123",
    text="Rash after  aspirin",
    tokens=("Rash", "after", "aspirin"),
    sentences=((0, 3),),
    spans=(Span(1, "AdverseEvent.Effect", "None", 0, 4), Span(2, "AdverseEvent.Treatment", "Drug", 12, 19)),
    attributes=(("events", "1"),),
)


def test_bare_prompts_are_the_text_alone():
    first, second = build_prompts([DOCUMENT], SCIERC, Style("sentence", "bare"))
    assert (first.prompt_id, first.doc_id) == ("W01#0", "W01") and second.prompt_id == "W01#1"
    assert first.messages == (Message("user", "A parser works ."),)
    assert first.answer == '{"entities":[{"id":1,"label":"Method","span":"parser"}],"relations":[]}'
    assert second.messages == (Message("user", "It wins"),)
    assert second.answer == '{"entities":[{"id":1,"label":"Generic","span":"It"}],"relations":[]}'


def test_document_prompts_ask_for_coreference():
    (prompt,) = build_prompts([DOCUMENT], SCIERC, Style("document", "instruct"))
    assert prompt.prompt_id == "W01"
    assert json.loads(prompt.answer)["coreference"] == [[1, 2]]
    assert '"coreference":[[1,3]]' in prompt.messages[0].content
    (sentence, _) = build_prompts([DOCUMENT], SCIERC, Style("sentence", "instruct"))
    assert "coreference" not in sentence.messages[0].content + sentence.answer


def test_codes_are_rendered_as_results():
    (prompt,) = build_prompts([SENTENCE], PHEE, Style("document", "bare"))
    assert prompt.messages == (Message("user", "Rash after  aspirin"),)
    assert json.loads(prompt.answer) == {
        "results": [
            {"Code": "AdverseEvent.Effect", "Sub-code": "None", "Span": "Rash"},
            {"Code": "AdverseEvent.Treatment", "Sub-code": "Drug", "Span": "aspirin"},
        ]
    }


@pytest.mark.parametrize(("document", "ontology"), [(DOCUMENT, SCIERC), (SENTENCE, PHEE)])
@pytest.mark.parametrize("unit", ["sentence", "document"])
def test_instructions_name_everything_and_end_with_the_text(document, ontology, unit):
    units = document_units(document, unit)
    for prompt, item in zip(build_prompts([document], ontology, Style(unit, "instruct")), units, strict=True):
        (message,) = prompt.messages
        head = instructions(ontology, coreference=unit == "document")
        assert message == Message("user", head + TEXT + item.text)
        for name, entry in (ontology.labels | ontology.relations).items():
            assert f"- {name}: {entry.definition}" in head
        for label in ontology.labels.values():
            assert all(f"  - {name}: {definition}" in head for name, definition in label.sublabels.items())
        assert prompt.answer == render(gold_answer(item), ontology.answer)


def test_the_form_shown_is_that_of_answers():
    for ontology, coreference in ((SCIERC, False), (SCIERC, True), (PHEE, False)):
        lines = instructions(ontology, coreference).splitlines()
        (form,) = [json.loads(line) for line in lines if line.startswith("{")]
        assert next(iter(form)) == ontology.answer
        assert ("coreference" in form) == coreference


def test_another_style_is_refused():
    with pytest.raises(ConfigError, match="prompt is 'plain'; accepted: bare, instruct"):
        build_prompts([DOCUMENT], SCIERC, Style("sentence", "plain"))


def test_relation_direction_is_that_of_the_ontology_in_both_styles():
    related = Document(**{**fields(DOCUMENT), "relations": (Relation(2, 1, "PART-OF"),)})
    bare, instruct = (build_prompts([related], SCIERC, Style("document", style)) for style in ("bare", "instruct"))
    assert json.loads(bare[0].answer)["relations"] == [{"head": 2, "label": "PART-OF", "tail": 1}]
    assert bare[0].answer == instruct[0].answer


def fields(document: Document) -> dict:
    return {name: getattr(document, name) for name in Document.__slots__}


def test_attributes_of_a_document_stand_before_its_text():
    note = replace(SENTENCE, attributes=(("TO_PAT_YN", "N"), ("source", "clinic"), ("previous", "Good morning .")))
    context = ("TO_PAT_YN", "previous", "next")
    (bare,) = build_prompts([note], PHEE, Style("document", "bare", context))
    assert bare.messages[0].content == "TO_PAT_YN: N\nprevious: Good morning .\nRash after  aspirin"
    (instruct,) = build_prompts([note], PHEE, Style("document", "instruct", context))
    end = "\n\nTO_PAT_YN: N\nprevious: Good morning .\n\nText:\nRash after  aspirin"
    assert instruct.messages[0].content.endswith(end) and bare.answer == instruct.answer


def test_rules_of_directions_are_stated_where_prompts_state_the_direction():
    head = instructions(PVMINER, False, ("TO_PAT_YN",))
    assert "- N: The patient writes to the provider. Codes: SDOH, PartnershipPatient, SharedDecisionPatient, " in head
    assert "TO_PAT_YN" not in instructions(PVMINER, False)


def test_a_span_across_sentences_is_refused_where_sentences_are_asked_about():
    crossing = replace(DOCUMENT, spans=(Span(1, "Method", None, 9, 19),), clusters=())
    with pytest.raises(DataError, match=r"^document 1: a span crosses the end of a sentence; accepted: spans inside"):
        build_prompts([crossing], SCIERC, Style("sentence", "bare"))
    assert len(build_prompts([crossing], SCIERC, Style("document", "bare"))) == 1


def train(*texts: str) -> list[Document]:
    return [
        replace(SENTENCE, doc_id=f"t{number}", group_id=f"g{number}", text=text, tokens=tuple(text.split()), spans=())
        for number, text in enumerate(texts)
    ]


def test_demonstrations_are_the_most_similar_texts_of_other_groups_the_most_similar_last():
    pool = [*train("Fever after aspirin", "Nothing of note", "Rash after ibuprofen"), SENTENCE]
    asked = replace(SENTENCE, doc_id="t9", group_id="123", text="Rash after  aspirin")
    style = Style("document", "instruct", demonstrations=2)
    for order in (pool, pool[::-1]):
        (prompt,) = build_prompts([asked], PHEE, style, order)
        before, end = prompt.messages[0].content.split(EXAMPLES)[1].rsplit("Answer:\n", 1)
        assert before.index("Fever after aspirin") != before.index("Rash after ibuprofen")
        assert "Nothing" not in before and before.count("Rash after  aspirin") == 0  # no example is of its own group
        assert end == '{"results":[]}\n\nText:\nRash after  aspirin'
        shown = [line for line in before.split("\n") if " after " in line]
        assert sorted(shown) == ["Fever after aspirin", "Rash after ibuprofen"]
    assert prompt == build_prompts([asked], PHEE, style, pool)[0]
    assert prompt.answer == build_prompts([asked], PHEE, Style("document", "bare"))[0].answer


def test_a_train_without_enough_other_groups_is_refused():
    with pytest.raises(DataError, match="train has 1 texts of other groups for a prompt; demonstrations: 2"):
        build_prompts([SENTENCE], PHEE, Style("document", "instruct", demonstrations=2), [SENTENCE, *train("Rash")])


def test_a_scheme_without_relations_says_so():
    entities = replace(SCIERC, relations={})
    head = instructions(entities, False)
    assert "There are no relations." in head and "Labels of relations" not in head
