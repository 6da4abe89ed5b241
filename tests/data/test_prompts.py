"""Prompts, and the halves of dev."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.data.answers import gold_answer, render
from tabpo.data.ontology import read_ontology
from tabpo.data.prompts import build_prompts, halve_dev, instructions
from tabpo.data.units import document_units
from tabpo.errors import ConfigError, DataError
from tabpo.records import Document, Message, Relation, Span

ONTOLOGIES = Path(__file__).parents[2] / "config/ontologies"
SCIERC = read_ontology(ONTOLOGIES / "scierc.yaml")
PHEE = read_ontology(ONTOLOGIES / "phee.yaml")

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
    first, second = build_prompts([DOCUMENT], SCIERC, "sentence", "bare")
    assert (first.prompt_id, first.doc_id) == ("W01#0", "W01") and second.prompt_id == "W01#1"
    assert first.messages == (Message("user", "A parser works ."),)
    assert first.answer == '{"entities":[{"id":1,"label":"Method","span":"parser"}],"relations":[]}'
    assert second.messages == (Message("user", "It wins"),)
    assert second.answer == '{"entities":[{"id":1,"label":"Generic","span":"It"}],"relations":[]}'


def test_document_prompts_ask_for_coreference():
    (prompt,) = build_prompts([DOCUMENT], SCIERC, "document", "instruct")
    assert prompt.prompt_id == "W01"
    assert json.loads(prompt.answer)["coreference"] == [[1, 2]]
    assert '"coreference":[[1,3]]' in prompt.messages[0].content
    (sentence, _) = build_prompts([DOCUMENT], SCIERC, "sentence", "instruct")
    assert "coreference" not in sentence.messages[0].content + sentence.answer


def test_codes_are_rendered_as_results():
    (prompt,) = build_prompts([SENTENCE], PHEE, "document", "bare")
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
    for prompt, item in zip(build_prompts([document], ontology, unit, "instruct"), units, strict=True):
        (message,) = prompt.messages
        head = instructions(ontology, coreference=unit == "document")
        assert message == Message("user", head + item.text)
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
        build_prompts([DOCUMENT], SCIERC, "sentence", "plain")


def test_relation_direction_is_that_of_the_ontology_in_both_styles():
    related = Document(**{**fields(DOCUMENT), "relations": (Relation(2, 1, "PART-OF"),)})
    bare, instruct = (build_prompts([related], SCIERC, "document", style) for style in ("bare", "instruct"))
    assert json.loads(bare[0].answer)["relations"] == [{"head": 2, "label": "PART-OF", "tail": 1}]
    assert bare[0].answer == instruct[0].answer


def fields(document: Document) -> dict:
    return {name: getattr(document, name) for name in Document.__slots__}


def dev(groups: list[tuple[str, str | None]]) -> list[Document]:
    return [Document(doc_id, group, "word", ("word",), ((0, 1),), ()) for doc_id, group in groups]


documents_of_dev = st.lists(
    st.tuples(st.text("abcdef0123", min_size=1, max_size=6), st.none() | st.sampled_from(["g1", "g2", "g3"])),
    unique_by=lambda item: item[0],
    max_size=30,
)


@given(documents_of_dev, st.randoms())
def test_halves_of_dev(groups, random):
    documents = dev(groups)
    group_of = {doc_id: doc_id if group is None else group for doc_id, group in groups}
    if len(set(group_of.values())) < 2:
        with pytest.raises(DataError, match="cannot be halved; accepted: two or more"):
            halve_dev(documents)
        return
    halves = halve_dev(documents)
    ids = [[document.doc_id for document in half] for half in halves]
    assert all(ids), "both halves have documents"
    assert sorted(ids[0] + ids[1]) == sorted(group_of)
    assert not {group_of[doc_id] for doc_id in ids[0]} & {group_of[doc_id] for doc_id in ids[1]}
    assert [document for document in documents if document in halves[0]] == halves[0], "the order is kept"
    sizes = [list(group_of.values()).count(group) for group in group_of.values()]
    assert abs(len(ids[0]) - len(ids[1])) <= max(sizes)
    shuffled = random.sample(documents, len(documents))
    again = halve_dev(shuffled)
    assert [{item.doc_id for item in half} for half in again] == [set(half) for half in ids]


def test_halves_do_not_change_between_versions():
    # sha256 in hex: d 18ac.., c 2e7d.., b 3e23.., a ca97..; taken in turns
    confusion, select = halve_dev(dev([("a", None), ("b", None), ("c", None), ("d", None)]))
    assert [document.doc_id for document in confusion] == ["b", "d"]
    assert [document.doc_id for document in select] == ["a", "c"]
