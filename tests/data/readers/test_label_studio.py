"""Label Studio's JSON exports: tasks, regions, relations, and what is passed over."""

import copy
import json

import pytest

from tabpo.data.readers.label_studio import BOTH_WAYS, OTHER_RESULTS, UNANNOTATED, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.records import Relation, Span

TEXT = "\N{GRINNING FACE} Iron harms. No rash."


def region(name: str, start: int, text: str, *labels: str) -> dict:
    value = {"start": start, "end": start + len(text), "text": text, "labels": list(labels)}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "origin": "manual", "value": value}


def task(*results: dict, number: int = 1, **further) -> dict:
    annotation = {"id": 50 + number, "completed_by": 1, "was_cancelled": False, "result": list(results)}
    base = {"id": number, "data": {"text": TEXT}, "annotations": [annotation], "predictions": [], "meta": {}}
    return base | further


def link(head: str, tail: str, *labels: str, direction: str = "right") -> dict:
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": direction, "labels": list(labels)}


IRON, RASH = region("a", 3, "Iron", "Drug"), region("b", 18, "rash", "Symptom")  # the browser's offsets: UTF-16 units


def read(folder, *tasks, reading=None):
    (folder / "train.json").write_text(json.dumps(tasks))
    return read_documents(folder / "train.json", reading)


def test_regions_and_relations_are_read_where_the_text_says(tmp_path):
    reading = Reading()
    choice = {"id": "c", "type": "choices", "value": {"choices": ["urgent"]}, "from_name": "x", "to_name": "text"}
    tasks = [task(IRON, RASH, choice, link("a", "b", "CAUSES"), data={"text": TEXT, "group_id": 4})]
    tasks += [task(IRON, RASH, link("b", "a", "CAUSES", direction="left"), number=2)]
    tasks += [task(IRON, RASH, link("a", "b", "NEAR", direction="bi"), number=3), task(number=4, annotations=[])]
    first, second, third = read(tmp_path, *tasks, reading=reading)
    assert first.spans == (Span(1, "Drug", None, 2, 6), Span(2, "Symptom", None, 17, 21))
    assert TEXT[2:6] == "Iron" and first.relations == second.relations == (Relation(1, 2, "CAUSES"),)
    assert third.relations == (Relation(1, 2, "NEAR"),) and (first.group_id, second.group_id) == ("4", None)
    assert reading.noticed == {OTHER_RESULTS: 1, BOTH_WAYS: 1, UNANNOTATED: 1}


def test_a_region_with_two_labels_is_two_spans(tmp_path):
    (document,) = read(tmp_path, task(region("a", 3, "Iron", "Drug", "Food")))
    assert [(span.label, span.start) for span in document.spans] == [("Drug", 2), ("Food", 2)]


def test_a_task_that_cannot_be_read_is_named_without_its_text(tmp_path):
    twice = task(IRON)
    twice["annotations"] += copy.deepcopy(twice["annotations"])
    cancelled = copy.deepcopy(twice)
    cancelled["annotations"][1]["was_cancelled"] = True
    assert len(read(tmp_path, cancelled)) == 1
    faults = {
        "annotations: are 2; accepted: one": twice,
        r"result\[0\]: is not the text at": task(region("a", 4, "Iron", "Drug")),
        r"result\[0\].value.labels: is empty": task(region("a", 3, "Iron")),
        r"result\[1\].labels: is empty; accepted: a relation with a label": task(IRON, link("a", "a")),
        r"result\[1\]: its end 2 is no span's id": task(IRON, link("a", "z", "CAUSES")),
        "data: has no key text, and 2 texts": task(IRON, data={"one": "Iron", "two": "Iron"}),
    }
    for message, faulty in faults.items():
        with pytest.raises(DataError, match=f"train.json, line 2, {message}") as error:
            read(tmp_path, task(IRON), faulty | {"id": 2})
        assert "Iron" not in str(error.value)
