"""The reader of CoNLL04's JSON, and what its published splits share."""

import json
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.corpus import SHARED, read_corpus
from tabpo.data.readers.conll04 import read_documents
from tabpo.data.validation import check_splits
from tabpo.errors import DataError
from tabpo.records import Relation, Span

ROW = {
    "tokens": ["Ann", "Lee", "of", "Rome"],
    "tags": ["B-Peop", "L-Peop", "O", "U-Loc"],
    "relations": [{"head": 0, "tail": 1, "type": "Live_In"}],
    "orig_id": 7,
}


def read(folder: Path, **change):
    (folder / "dev.json").write_text(json.dumps([ROW, ROW | change]))
    return read_documents(folder / "dev.json")


def test_tags_become_spans_and_numbers_of_entities_relations(tmp_path):
    document = read(tmp_path)[1]
    assert (document.doc_id, document.text) == ("dev-2", "Ann Lee of Rome")
    assert document.spans == (Span(1, "Peop", None, 0, 7), Span(2, "Loc", None, 11, 15))
    assert document.relations == (Relation(1, 2, "Live_In"),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": ["B-Peop", "L-Org", "O", "O"]}, r"tags\[1\]: does not follow BILOU"),
        ({"tags": ["L-Peop", "O", "O", "O"]}, r"tags\[0\]: does not follow BILOU"),
        ({"tags": ["O", "O", "O", "B-Loc"]}, "tags: end inside an entity"),
        ({"tags": ["O"]}, "tags: has 1 items; accepted: 4"),
        ({"relations": [{"head": 0, "tail": 2, "type": "Kill"}]}, r"relations\[0\].tail: is 2; accepted: .* 0 to 1"),
        ({"relations": [{"head": 0, "tail": 0, "type": "Kill"}]}, r"relations\[0\]: relates an entity to itself"),
        ({"more": 1}, "has an unknown key in place 5"),
    ],
)
def test_a_faulty_sentence_is_named(tmp_path, change, message):
    with pytest.raises(DataError, match=f"dev.json, line 2, .*{message}"):
        read(tmp_path, **change)


def test_published_counts_and_texts_of_two_splits_are_left_out_of_the_earlier(data_root):
    sources = {split: data_root / f"conll04/conll04_{split}.json" for split in ("train", "dev", "test")}
    ontology = read_ontology(Path("config/ontologies/conll04.yaml"))
    settings = {"source": "conll04", "generate": None, "private": False}
    whole = read_corpus(settings, sources, ontology)
    counts = {
        split: (len(items), sum(len(item.spans) for item in items), sum(len(item.relations) for item in items))
        for split, items in whole.documents.items()
    }
    assert counts == {"train": (922, 3377, 1283), "dev": (231, 893, 343), "test": (288, 1079, 422)}
    with pytest.raises(DataError, match=r"document \d+ of train and document \d+ of dev have the same text"):
        check_splits(whole.documents)
    corpus = read_corpus(settings | {"shared_texts": "leave_out"}, sources, ontology)
    check_splits(corpus.documents)
    left_out = {split: counts.get(SHARED, 0) for split, counts in corpus.noticed.items()}
    assert {split: len(items) for split, items in corpus.documents.items()} == {
        "train": 922 - left_out["train"],
        "dev": 231 - left_out["dev"],
        "test": 288,
    }
    assert left_out == {"train": 24, "dev": 3, "test": 0}
