"""DyGIE++'s JSON lines: SciERC's keys, some of them missing, and further ones."""

import json

import pytest

from tabpo.data.readers import scierc
from tabpo.data.readers.dygie import PASSED_OVER, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError

ROW = {
    "doc_key": "d1",
    "sentences": [["A", "net", "."], ["It", "runs"]],
    "ner": [[[1, 1, "Method"]], [[3, 3, "Generic"]]],
}
LINKS = {"relations": [[], []], "clusters": [[[1, 1], [3, 3]]]}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_missing_keys_are_empty_and_further_ones_are_counted(tmp_path):
    reading = Reading()
    further = {"dataset": "scierc", "predicted_ner": [], "weight": 1.0}
    plain, linked = read_documents(write(tmp_path / "a.jsonl", ROW, ROW | LINKS | further | {"doc_key": "d2"}), reading)
    assert plain.relations == plain.clusters == () and linked.clusters == ((1, 2),)
    assert reading.noticed == {PASSED_OVER: 3}


def test_a_document_with_all_keys_is_the_one_that_sciercs_reader_gives(tmp_path):
    path = write(tmp_path / "a.jsonl", ROW | LINKS)
    assert read_documents(path) == scierc.read_documents(path)


def test_a_needed_key_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="line 1, the line: lacks ner; accepted: doc_key, sentences, ner, relat"):
        read_documents(write(tmp_path / "a.jsonl", {key: ROW[key] for key in ("doc_key", "sentences")}))
