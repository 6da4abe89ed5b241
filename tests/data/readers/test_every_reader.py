"""Whatever a file contains, a reader returns consistent documents or raises one DataError."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabpo.answers.units import document_units
from tabpo.data.readers import custom, phee, pvminer, scierc
from tabpo.errors import DataError

SCIERC = {
    "doc_key": "W01",
    "sentences": [["A", "parser", "."], ["It", "wins"]],
    "ner": [[[1, 1, "Method"], [0, 1, "Method"]], [[3, 3, "Generic"]]],
    "relations": [[[0, 1, 1, 1, "PART-OF"]], []],
    "clusters": [[[3, 3], [1, 1]]],
}
RASH = {"text": [["rash"]], "start": [[2]], "entity_id": ["T1"]}
PHEE = {
    "id": "1_2",
    "context": "A rash",
    "is_mult_event": False,
    "annotations": [
        {
            "events": [
                {
                    "event_id": "E1",
                    "event_type": "Adverse_event",
                    "Subject": {**RASH, "Age": RASH},
                    "Treatment": {**RASH, "Combination": [{"Trigger": RASH}]},
                    "Severity": {**RASH, "value": "High"},
                }
            ]
        }
    ],
}
CUSTOM = {
    "id": "n1",
    "group_id": "g",
    "text": "A rash. It itches",
    "spans": [
        {"id": "T1", "start": 2, "end": 6, "label": "Sign", "sublabel": "Skin", "text": "rash"},
        {"id": "T2", "start": 8, "end": 10, "label": "Sign", "text": "It"},
    ],
    "relations": [{"head": "T1", "label": "SAME", "tail": "T2"}],
    "clusters": [["T1", "T2"]],
    "sentences": [[0, 7], [8, 17]],
    "attributes": {"to": "N"},
}
PVMINER = {
    "id": "7",
    "group_id": "g",
    "query": "INPUT: TO_PAT_YN: N  (Speaker)\nContext: A rash\nOUTPUT:",
    "answer": '{"results": [{"Code": "SDOH", "Sub-code": "None", "Span": "rash"}]}',
}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(0, 3) | st.text("a \n\ud800", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "start", "x"]), inner),
    max_leaves=4,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@pytest.mark.parametrize(("reader", "row"), [(scierc, SCIERC), (phee, PHEE), (custom, CUSTOM), (pvminer, PVMINER)])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_row_with_one_changed_value_is_read_or_refused(tmp_path, reader, row, data):
    row = copy.deepcopy(row)
    *path, last = data.draw(st.sampled_from([place for place in places(row) if place]))
    parent = row
    for key in path:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[last] = data.draw(values)
    else:
        del parent[last]
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row))
    try:
        (document,) = reader.read_documents(file)
    except DataError as error:
        assert str(error).startswith(f"{file}, line 1") and "accepted: " in str(error)
        return
    ids = {span.id for span in document.spans}
    assert all(0 <= span.start < span.end <= len(document.text) for span in document.spans)
    assert all({relation.head, relation.tail} <= ids for relation in document.relations)
    for unit in ("sentence", "document"):
        assert sum(len(item.spans) for item in document_units(document, unit)) == len(document.spans)
