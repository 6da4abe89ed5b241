"""The reader of BioRED's PubTator files: mentions, concepts as clusters, relations between concepts."""

from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.corpus import read_corpus
from tabpo.data.readers.biored import ITSELF, MERGED, SEVERAL, read_documents
from tabpo.data.reading import Reading
from tabpo.data.validation import check_splits
from tabpo.errors import DataError
from tabpo.records import Relation

TEXT = """7|t|Iron harms.
7|a|Zinc and iron heal gout.
7\t0\t4\tIron\tChemicalEntity\tC1
7\t12\t16\tZinc\tChemicalEntity\tC2
7\t21\t25\tiron\tChemicalEntity\tC1,C3
7\t31\t35\tgout\tDiseaseOrPhenotypicFeature\tD1
7\tNegative_Correlation\tD1\tC1\tNovel
7\tNegative_Correlation\tC1\tD1\tNovel
7\tAssociation\tC3\tC2\tNo
7\tBind\tC1\tC1\tNo

"""


def read(folder: Path, text: str, reading: Reading | None = None):
    (folder / "dev.pubtator").write_text(text)
    return read_documents(folder / "dev.pubtator", reading)


def test_concepts_are_clusters_and_relations_join_their_first_mentions(tmp_path):
    reading = Reading()
    (document,) = read(tmp_path, TEXT, reading)
    assert document.text == "Iron harms. Zinc and iron heal gout." and len(document.sentences) == 2
    assert [(span.start, span.label) for span in document.spans][:2] == [(0, "ChemicalEntity"), (12, "ChemicalEntity")]
    assert document.clusters == ((1, 3), (2,), (4,))
    # D1 with C1 is stated twice, once in each direction; C3 has no mention but the one that it shares with C1
    assert document.relations == (Relation(1, 4, "Negative_Correlation/Novel"), Relation(2, 3, "Association/No"))
    assert reading.noticed == {SEVERAL: 1, MERGED: 1, ITSELF: 1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("7|a|", "8|a|", "line 1, the document: has no title and abstract"),
        ("7\t0\t4\tIron", "7\t0\t4\tIrom", "the mention in line 3: is not the text at 0-4"),
        ("7\t0\t4\tIron", "7\tx\t4\tIron", "line 3, mention: has another form"),
        ("C2\tNo", "C2\tOld", "line 9, the line: has another form"),
        ("C3\tC2", "C9\tC2", "line 9, relation: names a concept without a mention"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, TEXT.replace(old, new, 1))


PUBLISHED = {"train": (400, 13351, 4178), "dev": (100, 3533, 1162), "test": (100, 3535, 1163)}


def test_published_counts(data_root):
    sources = {split: data_root / f"biored/{split.capitalize()}.PubTator" for split in PUBLISHED}
    settings = {"source": "biored", "generate": None, "private": False}
    corpus = read_corpus(settings, sources, read_ontology(Path("config/ontologies/biored.yaml")))
    check_splits(corpus.documents)
    for split, items in corpus.documents.items():
        unstated = corpus.noticed[split].get(ITSELF, 0) + corpus.noticed[split].get(MERGED, 0)
        relations = sum(len(item.relations) for item in items)
        assert (len(items), sum(len(item.spans) for item in items), relations + unstated) == PUBLISHED[split]
