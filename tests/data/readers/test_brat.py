"""Folders in brat's format: names of arguments, pieces of spans, and which files are read."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabpo.answers.ontology import Ontology
from tabpo.data.readers.brat import UNREAD, read_documents
from tabpo.data.reading import Reading
from tabpo.errors import DataError
from tabpo.records import Relation

ONTOLOGY = Ontology("entities", {}, {})
TEXT = "Rash after iron.\nNo pain\nnow."
NOTES = "T1\tSymptom 0 4\tRash\nT2\tDrug 11 15\tiron\n"


def write(folder: Path, name: str = "n1", text: str = TEXT, notes: str = NOTES) -> None:
    """One document in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text)
    (folder / f"{name}.ann").write_text(notes)


@pytest.mark.parametrize(
    ("label", "arguments"),
    [
        ("CAUSES", "Arg1:T2 Arg2:T1"),
        ("CAUSES", "Arg2:T1 Arg1:T2"),
        ("HARMS", "Agent:T2 Victim:T1"),
        ("HARMS", "Victim:T1 Agent:T2"),
    ],
)
def test_head_and_tail_go_by_the_names_of_arguments(tmp_path, label, arguments):
    write(tmp_path, notes=f"{NOTES}R1\t{label} {arguments}\n")
    (document,) = read_documents(tmp_path, Reading(replace(ONTOLOGY, roles={"HARMS": ("Agent", "Victim")})))
    assert document.relations == (Relation(2, 1, label),)


def test_a_relation_whose_roles_the_ontology_names_has_no_others(tmp_path):
    write(tmp_path, notes=f"{NOTES}R1\tHARMS Arg1:T2 Arg2:T1\n")
    with pytest.raises(DataError, match=r"line 3, annotation R1: has arguments .* accepted: Agent \(head\) and Victim"):
        read_documents(tmp_path, Reading(replace(ONTOLOGY, roles={"HARMS": ("Agent", "Victim")})))


@pytest.mark.parametrize("offsets", ["17 24;25 28", "17 19;20 24;25 28", "17 28"])
def test_pieces_with_white_space_alone_between_them_are_one_span(tmp_path, offsets):
    write(tmp_path, notes=f"T1\tSymptom {offsets}\tNo pain now\n")
    (document,) = read_documents(tmp_path)
    assert [(span.start, span.end) for span in document.spans] == [(17, 28)]


def test_the_first_folder_is_the_group_however_deep_a_document_lies(tmp_path):
    write(tmp_path, "n0")
    write(tmp_path / "p1", "n1")
    write(tmp_path / "p1/first/morning", "n2")
    assert [document.group_id for document in read_documents(tmp_path)] == [None, "p1", "p1"]


def test_linked_folders_are_followed_once(tmp_path):
    write(tmp_path / "elsewhere/visit")
    (tmp_path / "train").mkdir()
    (tmp_path / "train/p1").symlink_to(tmp_path / "elsewhere")
    assert [document.group_id for document in read_documents(tmp_path / "train")] == ["p1"]
    (tmp_path / "elsewhere/again").symlink_to(tmp_path / "train")
    with pytest.raises(DataError, match="train: a link leads to a folder that is read already; accepted: each folder"):
        read_documents(tmp_path / "train")


def test_endings_in_capitals_are_read_and_other_files_named_by_their_number(tmp_path, caplog):
    write(tmp_path, "n1")
    (tmp_path / "n1.txt").rename(tmp_path / "n1.TXT")
    (tmp_path / "n1.ann").rename(tmp_path / "n1.Ann")
    assert [document.doc_id for document in read_documents(tmp_path)] == ["n1"] and not caplog.messages
    (tmp_path / "annotation.conf").write_text("")
    (tmp_path / "smith.docx").write_text("")
    assert len(read_documents(tmp_path)) == 1
    assert caplog.messages == [f"{tmp_path}: {UNREAD}: file 1, 4 by name"]
    (tmp_path / "n1.txt").write_text(TEXT)
    with pytest.raises(
        DataError, match=r"\.txt file 1 by name: is there with its ending in small and in capital letter"
    ):
        read_documents(tmp_path)


CLINICAL = f"""{NOTES}A1\tNegation T1
A2\tCertainty T1 high
E1\tDrug:T2
#1\tAnnotatorNotes T1\tasked
N1\tReference T2 RxNorm:1\tiron
"""


def test_attributes_become_part_of_labels_and_what_is_passed_over_is_counted(tmp_path):
    write(tmp_path, notes=CLINICAL)
    read_as = replace(ONTOLOGY, attribute_labels={"Negation": "negated"}, passed_over=("attributes", "events"))
    reading = Reading(read_as)
    (document,) = read_documents(tmp_path, reading)
    assert [span.label for span in document.spans] == ["Symptom/negated", "Drug"]
    kinds = ("attributes", "events", "notes", "normalisations")
    assert reading.noticed == {f"{kind} passed over": 1 for kind in kinds}


def test_attributes_join_a_label_in_the_ontologys_order(tmp_path):
    write(tmp_path, notes=f"{NOTES}A1\tPast T1\nA2\tNegation T1\n")
    (document,) = read_documents(
        tmp_path, Reading(replace(ONTOLOGY, attribute_labels={"Negation": "negated", "Past": "past"}))
    )
    assert document.spans[0].label == "Symptom/negated/past"
    write(tmp_path, notes=f"{NOTES}A1\tNegation R1\n")
    with pytest.raises(DataError, match="line 3, annotation A1: names no span; accepted: an attribute of a span"):
        read_documents(tmp_path, Reading(replace(ONTOLOGY, attribute_labels={"Negation": "negated"})))


@pytest.mark.parametrize(("passed", "fault"), [("attributes", "E1: is one of events"), ("events", "A1: is one of at")])
def test_attributes_and_events_that_no_setting_names_are_refused(tmp_path, passed, fault):
    write(tmp_path, notes=CLINICAL)
    message = rf"annotation {fault}\w*; accepted: \w+ that attribute_labels or passed_over of the ontology name"
    with pytest.raises(DataError, match=message):
        read_documents(tmp_path, Reading(replace(ONTOLOGY, passed_over=(passed,))))


def test_an_attribute_with_a_value_is_no_part_of_a_label(tmp_path):
    write(tmp_path, notes=f"{NOTES}A1\tNegation T1 possible\n")
    with pytest.raises(DataError, match="line 3, annotation A1: has a value; accepted: an attribute without one"):
        read_documents(tmp_path, Reading(replace(ONTOLOGY, attribute_labels={"Negation": "negated"})))
