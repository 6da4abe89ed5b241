"""INCEpTION's exports as UIMA CAS, in JSON and in XMI."""

from collections import Counter

import pytest
from cassis import Cas, TypeSystem

from tabpo.data.readers.inception import OTHER_LAYERS, UNREAD, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.records import Relation, Span

TEXT = "\N{GRINNING FACE} Iron harms.\nNo rash."
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"


def export(folder, name="n1", label="CAUSES"):
    """A CAS with DKPro's named entities and INCEpTION's own layer of relations, as INCEpTION exports it."""
    system = TypeSystem()
    entity = system.create_type(ENTITY, supertypeName="uima.tcas.Annotation")
    system.create_feature(entity, "value", "uima.cas.String")
    relation = system.create_type("webanno.custom.Relation", supertypeName="uima.tcas.Annotation")
    system.create_feature(relation, "label", "uima.cas.String")
    for end in ("Governor", "Dependent"):
        system.create_feature(relation, end, entity)
    sentence = system.create_type(SENTENCE, supertypeName="uima.tcas.Annotation")
    note = system.create_type("webanno.custom.Note", supertypeName="uima.tcas.Annotation")
    cas = Cas(system)
    cas.sofa_string, cas.sofa_mime = TEXT, "text/plain"
    drug, symptom = entity(begin=2, end=6, value="Drug"), entity(begin=17, end=21, value="Symptom")
    linked = relation(begin=17, end=21, label=label, Governor=drug, Dependent=symptom)
    cas.add_all([drug, symptom, linked, sentence(begin=0, end=13), sentence(begin=14, end=22), note(begin=0, end=1)])
    folder.mkdir(parents=True, exist_ok=True)
    cas.to_json(folder / f"{name}.json")
    cas.to_xmi(folder / f"{name}.xmi")
    system.to_xml(folder / "TypeSystem.xml")


@pytest.mark.parametrize("ending", [".json", ".xmi"])
def test_both_forms_give_spans_relations_and_sentences_at_characters(tmp_path, ending):
    export(tmp_path / "p1")
    (tmp_path / "p1" / f"n1{'.xmi' if ending == '.json' else '.json'}").unlink()
    (tmp_path / "notes.txt").write_text("")
    reading = Reading()
    (document,) = read_documents(tmp_path, reading)
    assert (document.doc_id, document.group_id, document.text) == ("n1", "p1", TEXT)
    assert document.spans == (Span(1, "Drug", None, 2, 6), Span(2, "Symptom", None, 17, 21))
    assert document.relations == (Relation(1, 2, "CAUSES"),) and len(document.sentences) == 2
    assert reading.noticed == Counter({UNREAD: 1, OTHER_LAYERS: 1})


def test_faults_are_named_by_the_number_of_the_file(tmp_path):
    export(tmp_path)
    (tmp_path / "smith.json").write_text('{"secret": 1}')
    with pytest.raises(DataError, match="file 3 by name, line 1, the file: is no UIMA CAS") as error:
        read_documents(tmp_path)
    assert "smith" not in str(error.value) and "secret" not in str(error.value)
    (tmp_path / "smith.json").unlink()
    export(tmp_path, label=None)
    with pytest.raises(DataError, match="file 1 by name, line 1, the relation at 17: has no label"):
        read_documents(tmp_path)
    (tmp_path / "n1.json").unlink()
    (tmp_path / "TypeSystem.xml").unlink()
    with pytest.raises(DataError, match=r"file 1 by name, line 1, the file: has no TypeSystem.xml beside or above it"):
        read_documents(tmp_path)
