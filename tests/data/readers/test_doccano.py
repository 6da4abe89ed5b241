"""doccano's exports: spans as triples, or entities and relations."""

import json

import pytest

from tabpo.data.readers.doccano import PASSED_OVER, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.records import Relation, Span

TEXT = "Iron harms. No rash."
TRIPLES = {"id": 7, "text": TEXT, "label": [[0, 4, "Drug"], [15, 19, "Symptom"]], "Comments": []}
ENTITIES = {
    "id": 8,
    "text": TEXT,
    "entities": [
        {"id": 21, "label": "Symptom", "start_offset": 15, "end_offset": 19},
        {"id": 20, "label": "Drug", "start_offset": 0, "end_offset": 4},
    ],
    "relations": [{"id": 3, "from_id": 20, "to_id": 21, "type": "CAUSES"}],
    "Comments": [],
}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_both_forms_are_read(tmp_path):
    reading = Reading()
    triples, entities = read_documents(write(tmp_path / "train.jsonl", TRIPLES, ENTITIES), reading)
    assert triples.spans == entities.spans == (Span(1, "Drug", None, 0, 4), Span(2, "Symptom", None, 15, 19))
    assert (triples.doc_id, triples.relations) == ("7", ())
    assert entities.relations == (Relation(1, 2, "CAUSES"),)
    assert reading.noticed == {PASSED_OVER: 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": [[0, 99, "Drug"]]}, r"label\[0\] end: is 99; accepted: a whole number from 1 to 20"),
        ({"label": [[0, 5, "Drug"]]}, r"label\[0\]: begins or ends with white space"),
        ({"label": [[0, 4]]}, r"label\[0\]: has 2 items; accepted: 3"),
        ({"labels": []}, "the line: has 2 keys of spans; accepted: one of label, labels, entities"),
        ({"text": None}, "text: is no text"),
        ({"id": 7.5}, "id: is no identifier"),
        ({"relations": [{"from_id": 1, "to_id": 9, "type": "X"}]}, r"relations\[0\]: its end 2 is no span's id"),
    ],
)
def test_a_faulty_line_is_named_without_its_text(tmp_path, change, message):
    with pytest.raises(DataError, match=f"line 1, {message}") as error:
        read_documents(write(tmp_path / "train.jsonl", TRIPLES | change))
    assert "Iron" not in str(error.value)
