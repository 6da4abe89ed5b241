"""A user's data as JSON lines or in brat's format is read, or refused with the place of the fault and without text."""

import json
from pathlib import Path

import pytest

from tabpo.answers.units import document_units, token_offsets
from tabpo.data.readers.custom import read_documents
from tabpo.errors import DataError
from tabpo.records import Relation, Span

TEXT = "A secret-parser wins.\nIt scores 9.5 F1."
ROW = {
    "id": "n1",
    "group_id": "p7",
    "text": TEXT,
    "spans": [
        {"id": "T2", "start": 22, "end": 24, "label": "Generic", "text": "It"},
        {"id": "T1", "start": 9, "end": 15, "label": "Method", "text": "parser"},
        {"id": "T3", "start": 36, "end": 38, "label": "Metric", "sublabel": "share", "text": "F1"},
    ],
    "relations": [{"head": "T3", "label": "EVALUATE-FOR", "tail": "T1"}],
    "clusters": [["T2", "T1"]],
    "sentences": [[0, 21], [22, 39]],
    "attributes": {"to": "N"},
}
NOTES = """T2\tGeneric 22 24\tIt
T1\tMethod 9 15\tparser
T3\tMetric 36 38\tF1
A1\tSublabel T3 share
R1\tEVALUATE-FOR Arg1:T3 Arg2:T1\t
*\tCoref T2 T1
#1\tAnnotatorNotes T1\tnot read
"""


def as_json(folder: Path, *rows: dict) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_brat(folder: Path, text: str = TEXT, notes: str = NOTES) -> Path:
    (folder / "train/p7").mkdir(parents=True)
    (folder / "train/p7/n1.txt").write_bytes(text.encode())
    (folder / "train/p7/n1.ann").write_bytes(notes.encode())
    return folder / "train"


@pytest.mark.parametrize("form", ["json", "brat"])
def test_both_forms_give_one_document(tmp_path, form):
    path = as_json(tmp_path, ROW) if form == "json" else as_brat(tmp_path)
    (document,) = read_documents(path)
    assert (document.doc_id, document.group_id, document.text) == ("n1", "p7", TEXT)
    # words and other characters: the point of 9.5 stands alone
    assert document.tokens == ("A", "secret", "-", "parser", "wins", ".", "It", "scores", "9", ".", "5", "F1", ".")
    assert document.sentences == ((0, 6), (6, 13))
    assert document.spans == (
        Span(1, "Method", None, 9, 15),
        Span(2, "Generic", None, 22, 24),
        Span(3, "Metric", "share", 36, 38),
    )
    assert document.relations == (Relation(3, 1, "EVALUATE-FOR"),)
    assert document.clusters == ((1, 2),)
    assert document.attributes == ((("to", "N"),) if form == "json" else ())
    assert [unit.text for unit in document_units(document, "sentence")] == TEXT.split("\n")


def test_only_id_text_and_spans_are_needed(tmp_path):
    (document,) = read_documents(as_json(tmp_path, {"id": "n1", "text": TEXT, "spans": []}))
    assert (document.group_id, document.spans, document.sentences) == (None, (), ((0, 13),))


def test_a_span_that_cuts_a_word_is_whole_tokens(tmp_path):
    span = {"start": 11, "end": 15, "label": "Method", "text": "rser"}
    (document,) = read_documents(as_json(tmp_path, ROW | {"spans": [span], "relations": [], "clusters": []}))
    assert {11, 15} <= {edge for offsets in token_offsets(document) for edge in offsets}


def test_line_ends_of_windows_are_characters(tmp_path):
    text = TEXT.replace("\n", "\r\n")
    notes = NOTES.replace("22 24", "23 25").replace("36 38", "37 39").replace("\n", "\r\n")
    (document,) = read_documents(as_brat(tmp_path, text, notes))
    assert [text[span.start : span.end] for span in document.spans] == ["parser", "It", "F1"]


def test_a_line_end_in_a_span_is_a_space_in_standoff(tmp_path):
    (document,) = read_documents(as_brat(tmp_path, notes="T1\tEvent 16 24\twins. It\n"))
    assert document.text[16:24] == "wins.\nIt" and len(document.spans) == 1


def span(**changes) -> list[dict]:
    return [ROW["spans"][0] | changes, *ROW["spans"][1:]]


ROWS = {
    "offset outside the document": ({"spans": span(end=99)}, "spans[0] end: is 99; accepted: a whole number from 23"),
    "negative offset": ({"spans": span(start=-1)}, "spans[0] start: is -1; accepted: a whole number from 0 to 38"),
    "offsets as text": ({"spans": span(start="22")}, "spans[0] start: is a str; accepted: a whole number"),
    "empty span": ({"spans": span(end=22)}, "spans[0] end: is 22; accepted: a whole number from 23 to 39"),
    "another text": ({"spans": span(start=21, end=23)}, "spans[0]: is not the text at 21-23; accepted: offsets of cha"),
    "white space": ({"spans": span(end=25, text="It ")}, "spans[0]: begins or ends with white space; accepted: a span"),
    "twice": ({"spans": [*span(), ROW["spans"][0] | {"id": "T9"}]}, "spans[3]: is there twice; accepted: each span on"),
    "id twice": ({"spans": [*span(), *span()]}, "spans: have an id twice; accepted: an id that no other span"),
    "no label": ({"spans": [{"start": 0, "end": 1, "text": "A"}]}, "spans[0]: lacks label; accepted: start, end, lab"),
    "misspelt key": (
        {"spans": span(sublable="x")},
        "spans[0]: has an unknown key in place 6; accepted: start",
    ),
    "unknown end": (
        {"relations": [{"head": "T1", "label": "USED-FOR", "tail": "T8"}]},
        "relations[0]: its end 2 is no span's id; accepted: ids of the document's 3 spans",
    ),
    "self-relation": (
        {"relations": [{"head": "T1", "label": "USED-FOR", "tail": "T1"}]},
        "relations[0]: names a span twice; accepted: different spans",
    ),
    "shared mention": ({"clusters": [["T1", "T2"], ["T2", "T3"]]}, "clusters[1]: is empty or shares a span with anot"),
    "empty cluster": ({"clusters": [[]]}, "clusters[0]: is empty or shares a span with another cluster; accepted: sp"),
    "sentences with a hole": ({"sentences": [[0, 21]]}, "sentences: do not hold the characters at 22; accepted: rang"),
    "sentence of three": ({"sentences": [[0, 21, 3]]}, "sentences[0]: has 3 items; accepted: 2"),
    "attributes as a list": ({"attributes": ["secret"]}, "attributes: is no object; accepted: an object of strings"),
    "empty text": ({"text": " "}, "text: is no text; accepted: a string with more than white space"),
    "group as a number": ({"group_id": 7}, "group_id: is no text; accepted: a string with more than white space"),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_faulty_row_is_named_by_its_place(tmp_path, fault):
    change, message = ROWS[fault]
    path = as_json(tmp_path, ROW | {"id": "n0"}, ROW | change)
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert str(caught.value).startswith(f"{path}, line 2, {message}")
    assert "secret" not in str(caught.value)


LINES = {
    "pieces": (
        "T1\tMethod 2 8;9 15\tsecret parser",  # a hyphen lies between them
        "line 1, annotation T1: is in pieces; accepted: one start and end, or pieces in order with wh",
    ),
    "pieces in another order": (
        "T1\tMethod 22 24;16 21\tIt wins.",
        "line 1, annotation T1: is in pieces; accepted: one start and end, or pieces in order with wh",
    ),
    "pieces of another text": (
        "T1\tMethod 16 21;22 24\twins.It",
        "line 1, annotation T1: is not the text at 16-24; accepted",
    ),
    "arguments of other names": (
        "R1\tPART-OF Secret:T1 Whole:T2",
        "line 1, annotation R1: has arguments of other names; accepted: Arg1 (head) and Arg2 (tail), or roles in the",
    ),
    "one argument twice": (
        "R1\tPART-OF Arg1:T1 Arg1:T2",
        "line 1, annotation R1: has arguments of other names; accepted: Arg1 (head) and Arg2 (tail), or roles in the",
    ),
    "event": (
        "\nE1\tMethod:T1",
        "line 2, annotation E1: is one of events; accepted: events that",
    ),
    "another text": (
        "T1\tMethod 9 15\tsecret",
        "line 1, annotation T1: is not the text at 9-15; accepted",
    ),
    "outside": ("T1\tMethod 9 99\tparser", "line 1, annotation T1 end: is 99; accepted: a whole number"),
    "id twice": (
        "T1\tMethod 9 15\tparser\nT1\tMethod 0 1\tA",
        "line 2, annotation T1: has the id of another",
    ),
    "unknown end": (
        "R1\tPART-OF Arg1:T1 Arg2:T2",
        "line 1, annotation R1: its end 1 is no span's id; acc",
    ),
}


@pytest.mark.parametrize("fault", LINES)
def test_a_faulty_line_is_named_by_its_place(tmp_path, fault):
    notes, message = LINES[fault]
    path = as_brat(tmp_path, notes=notes)
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert str(caught.value).startswith(f"{path}, .ann file 1 by name, {message}")
    assert "secret" not in str(caught.value)


def test_faulty_folders(tmp_path):
    path = as_brat(tmp_path)
    (path / "n2.txt").write_text("A secret")
    with pytest.raises(DataError, match=r"train, .txt file 2 by name: has no .ann; accepted: a .txt and"):
        read_documents(path)
    (path / "n2.ann").write_bytes("T1\tMethod 0 1\té".encode("latin-1"))
    with pytest.raises(DataError, match=r"train, .ann file 2 by name: byte 15 is no UTF-8; accepted: UTF-8"):
        read_documents(path)
    (path / "n2.txt").write_bytes(b"\xef\xbb\xbfA secret")  # all offsets would be one more
    with pytest.raises(DataError, match=r"train, .txt file 2 by name, line 1: begins with a byte order mark"):
        read_documents(path)
    (path / "n2.txt").write_text("A secret")
    (path / "n2.txt").rename(path / "p7/n2.txt")  # its .ann file stays in the other folder
    with pytest.raises(DataError, match=r"file 2 by name: has no .(ann|txt)"):
        read_documents(path)
    (path / "p7/n2.ann").write_text("")
    for ending in ("txt", "ann"):
        (path / f"n2.{ending}").write_text("A secret" if ending == "txt" else "")
    with pytest.raises(
        DataError,
        match=r"train, .txt file 2 by name: has the same name as the next one",
    ):
        read_documents(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: holds no document; accepted: a .txt and an .ann for each"):
        read_documents(tmp_path / "empty")


def test_the_brat_originals_of_scierc(data_root):
    documents = read_documents(data_root / "scierc/raw")
    labels = [relation.label for document in documents for relation in document.relations]
    assert (len(documents), sum(len(document.spans) for document in documents)) == (500, 8098)
    # 4,719 lines that are no COREF, four of them repeated
    assert (len(labels) - labels.count("COREF"), labels.count("COREF")) == (4715, 1673)
