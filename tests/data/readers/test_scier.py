"""The reader of SciER's two published forms."""

import json
from collections import Counter

import pytest

from tabpo.answers.units import document_units
from tabpo.data.readers.scier import NEAREST, PLACED, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.records import Relation

PLM = {
    "doc_id": "Venue (2)",
    "doc_tokens": [],
    "sentences": [["A", " ", "CNN", "beats", "CNN"], ["It", "runs"]],
    "ner": [[[2, 2, "Method"], [4, 4, "Method"]], []],
    "relations": [[[2, 2, 4, 4, "Compare-With"]], []],
}
LLM = [
    {
        "doc_id": "Venue",
        "sentence": "A   CNN beats CNN",
        "ner": [["CNN", "Method"], ["CNN", "Method"]],
        "rel": [["CNN", "Compare-With", "CNN"]],
        "rel_plus": [],
    },
    {"doc_id": "Venue", "sentence": "It runs", "ner": [], "rel": [], "rel_plus": []},
]


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(("rows", "name"), [([PLM], "Venue_(2)"), (LLM, "Venue")])
def test_both_forms_give_the_same_document_and_white_space_is_no_token(tmp_path, rows, name):
    reading = Reading()
    (document,) = read_documents(write(tmp_path / "train.json", *rows), reading)
    assert (document.doc_id, document.text) == (name, "A   CNN beats CNN It runs")
    assert document.tokens == ("A", "CNN", "beats", "CNN", "It", "runs") and document.sentences == ((0, 4), (4, 6))
    assert [(span.start, span.end) for span in document.spans] == [(4, 7), (14, 17)]
    assert document.relations == (Relation(1, 2, "Compare-With"),)
    assert [unit.text for unit in document_units(document, "sentence")] == ["A   CNN beats CNN", "It runs"]
    assert reading.noticed == ({} if rows == [PLM] else {NEAREST: 1})  # the relation might be read the other way


def test_a_mention_stands_after_the_one_before_it_and_doubt_is_counted(tmp_path):
    row = LLM[1] | {
        "sentence": "a net a net b",
        "ner": [["net", "Method"], ["b", "Task"]],
        "rel": [["net", "Used-For", "b"]],
    }
    reading = Reading()
    (document,) = read_documents(write(tmp_path / "a.json", row), reading)
    assert [document.text[span.start : span.end] for span in document.spans] == ["net", "b"]
    assert document.spans[0].start == 2 and reading.noticed == {PLACED: 1}
    with pytest.raises(DataError, match=r"line 1, ner\[1\]: is not in the sentence after the mention before it"):
        read_documents(write(tmp_path / "a.json", row | {"ner": [["b", "Task"], ["net", "Method"]]}))
    with pytest.raises(DataError, match=r"line 1, rel\[0\]: joins no two mentions"):
        read_documents(write(tmp_path / "a.json", row | {"rel": [["net", "Used-For", "c"]]}))


COUNTS = {  # documents, sentences, mentions, relations, as in the paper's table
    "LLM/train": (80, 5575, 18041, 8743),
    "PLM/dev": (10, 713, 2234, 1132),
    "PLM/test": (10, 854, 2948, 1626),
    "PLM/test_ood": (6, 580, 1295, 582),
}


@pytest.mark.parametrize("path", COUNTS)
def test_published_counts(data_root, path):
    documents = read_documents(data_root / f"scier/{path}.jsonl")
    sizes = [(len(item.sentences), len(item.spans), len(item.relations)) for item in documents]
    assert (len(documents), *map(sum, zip(*sizes, strict=True))) == COUNTS[path]


def test_texts_without_places_are_placed_nearly_as_published(data_root):
    placed = stated = joined = related = 0
    for split in ("dev", "test"):
        forms = [read_documents(data_root / f"scier/{form}/{split}.jsonl") for form in ("LLM", "PLM")]
        for guessed, published in zip(*forms, strict=True):
            assert guessed.text == published.text
            spans = [{(span.start, span.end, span.label) for span in item.spans} for item in (guessed, published)]
            placed, stated = placed + len(spans[0] & spans[1]), stated + len(spans[1])
            links = []
            for item in (guessed, published):
                starts = {span.id: (span.start, span.end) for span in item.spans}
                links.append(Counter((starts[one.head], starts[one.tail], one.label) for one in item.relations))
            joined, related = joined + (links[0] & links[1]).total(), related + links[1].total()
    assert (placed, stated, joined, related) == (5153, 5182, 2695, 2758)
