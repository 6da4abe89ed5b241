"""Variant spellings are corrected and counted, and coreference links are merged into clusters."""

from dataclasses import replace
from pathlib import Path

from tabpo.answers.ontology import Label, Ontology, RelationType, read_ontology
from tabpo.data.readers import custom, scierc
from tabpo.data.reading import Reading
from tabpo.data.spellings import conform
from tabpo.data.validation import check_labels
from tabpo.records import Document, Relation, Span

ONTOLOGY = Ontology(
    "entities",
    {"Drug": Label("", {"Brand": ""})},
    {"USED-FOR": RelationType("", False)},
    {"labels": {"drug": "Drug"}, "sublabels": {"brand": "Brand"}, "relations": {"used": "USED-FOR"}},
    coreference="COREF",
)
DOCUMENT = Document(
    "d1",
    None,
    "a b c d e",
    tuple("abcde"),
    ((0, 5),),
    tuple(Span(number + 1, "Drug", None, 2 * number, 2 * number + 1) for number in range(5)),
)


def test_variants_are_corrected_and_counted():
    spans = (Span(1, "drug", "Brand", 0, 1), Span(2, "drug", "brand", 2, 3), Span(3, "other", None, 4, 5))
    document = replace(DOCUMENT, spans=spans, relations=(Relation(1, 2, "used"), Relation(2, 1, "USED-FOR")))
    [corrected], counts = conform([document], ONTOLOGY)
    drugs = (Span(1, "Drug", "Brand", 0, 1), Span(2, "Drug", "Brand", 2, 3))
    assert corrected.spans == (*drugs, Span(3, "other", None, 4, 5))
    assert corrected.relations == (Relation(1, 2, "USED-FOR"), Relation(2, 1, "USED-FOR"))
    assert counts == {"labels: drug -> Drug": 2, "relations: used -> USED-FOR": 1, "sublabels: brand -> Brand": 1}


def test_links_of_coreference_are_joined_with_each_other_and_with_clusters():
    links = tuple(Relation(*ends, "COREF") for ends in ((3, 1), (4, 3), (2, 5)))
    document = replace(DOCUMENT, relations=(Relation(1, 2, "USED-FOR"), *links))
    [joined], _ = conform([document], ONTOLOGY)
    assert joined.relations == (Relation(1, 2, "USED-FOR"),) and joined.clusters == ((1, 3, 4), (2, 5))
    [joined], _ = conform([replace(document, clusters=((1, 2),))], ONTOLOGY)
    assert joined.clusters == ((1, 2, 3, 4, 5),)
    assert conform([DOCUMENT], ONTOLOGY) == ([DOCUMENT], {})


def test_the_brat_originals_of_scierc_have_what_the_json_has_and_relations_across_sentences(data_root):
    ontology = read_ontology(Path(__file__).parents[2] / "config/ontologies/scierc.yaml")
    reading = Reading(ontology)
    originals, _ = conform(custom.read_documents(data_root / "scierc/raw", reading), ontology)
    check_labels(originals, ontology, reading.places, private=False)
    processed = [
        item for split in ("train", "dev", "test") for item in scierc.read_documents(data_root / f"scierc/{split}.json")
    ]
    assert {item.doc_id for item in originals} == {item.doc_id for item in processed}
    assert sum(len(item.clusters) for item in originals) == sum(len(item.clusters) for item in processed) == 1015
    assert sum(len(item.relations) for item in originals) == 4715  # the JSON: 4,644 different ones
