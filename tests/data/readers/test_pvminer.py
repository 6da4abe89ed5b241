"""The reader of the private corpus's published format, tested on generated messages in that format."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from tabpo.answers.ontology import read_ontology
from tabpo.data.generated.demo_messages import generate
from tabpo.data.readers.pvminer import read_documents
from tabpo.errors import DataError
from tabpo.records import Span

HEADER = len("TO_PAT_YN: N | ")
ANSWER = json.dumps({"results": [{"Code": "SDOH", "Sub-code": "EconomicStability", "Span": "secret bill"}]})
QUERY = "INPUT: TO_PAT_YN: N  (Speaker: Patient)\nContext: A secret bill .\nOUTPUT:"
ROW = {"query": QUERY, "answer": ANSWER}


def write(path: Path, rows: list[dict]) -> Path:
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    else:
        Dataset(table).save_to_disk(path)
    return path


@pytest.mark.parametrize("name", ["train", "train.parquet", "train.jsonl", "train.csv"])
def test_every_form_gives_the_messages_back(tmp_path, pvminer_row, name):
    messages = generate("train", 40, 1)
    documents = read_documents(write(tmp_path / name, [pvminer_row(message) for message in messages]))
    assert len(documents) == len(messages)
    for message, document in zip(messages, documents, strict=True):
        assert document.text == message.text[HEADER:]
        assert document.attributes == message.attributes
        assert [(span.label, span.sublabel, span.start + HEADER, span.end + HEADER) for span in document.spans] == [
            (span.label, span.sublabel, span.start, span.end) for span in message.spans
        ]
    assert all(document.doc_id.startswith("train-") and document.group_id is None for document in documents)


def test_directions_of_the_ontology_hold_in_generated_messages():
    directions = read_ontology(Path(__file__).parents[3] / "config/ontologies/pvminer.yaml").directions
    for message in generate("train", 300, 1):
        assert {span.label for span in message.spans} <= set(directions.labels[dict(message.attributes)["TO_PAT_YN"]])


def test_ids_and_groups_are_read_and_further_columns_are_ignored(tmp_path):
    rows = [ROW | {"id": 7, "group_id": "p1", "source": "clinic"}, ROW | {"id": 8, "group_id": "p1", "source": ""}]
    first, second = read_documents(write(tmp_path / "dev.parquet", rows))
    assert (first.doc_id, first.group_id, second.doc_id) == ("7", "p1", "8")


def test_a_row_with_a_message_instead_of_a_query(tmp_path):
    row = {"message": "A secret bill .", "TO_PAT_YN": "Y", "answer": ANSWER}
    (document,) = read_documents(write(tmp_path / "train.jsonl", [row]))
    assert (document.text, document.attributes) == ("A secret bill .", (("TO_PAT_YN", "Y"),))
    assert document.spans == (Span(1, "SDOH", "EconomicStability", 2, 13),)


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_older_form_asks_about_one_sentence(tmp_path, order):
    sentences = "Previous sentence: None\nCurrent sentence: A secret bill .\nNext sentence: Another secret bill ."
    direction = "TO_PAT_YN: Y"
    parts = [direction, sentences] if order == "before" else [sentences, direction]
    query = "Rules: Previous sentence: and Next sentence: are context.\n" + "\n".join([*parts, "OUTPUT:"])
    (document,) = read_documents(write(tmp_path / "train.jsonl", [{"query": query, "answer": ANSWER}]))
    assert document.text == "A secret bill ."
    assert document.attributes == (("TO_PAT_YN", "Y"), ("next", "Another secret bill ."))


def test_a_message_of_several_lines_and_words_of_the_prompt(tmp_path):
    message = "Hello .\n\nOUTPUT: of the pump is low .\nContext: none .\nA secret bill ."
    query = QUERY.replace("A secret bill .", message)
    (document,) = read_documents(write(tmp_path / "train.jsonl", [{"query": query, "answer": ANSWER}]))
    assert document.text == message


def test_spans_stand_where_their_words_first_are_free(tmp_path):
    triple = {"Code": "SDOH", "Sub-code": "EconomicStability", "Span": "bill"}
    other = triple | {"Sub-code": "SocialAndCommunityContext"}
    answer = json.dumps({"results": [triple, triple, triple, other, other | {"Span": "Bill"}]})
    row = {"message": "A bill , a bill .", "TO_PAT_YN": "N", "answer": answer}
    (document,) = read_documents(write(tmp_path / "train.jsonl", [row]))
    # no occurrence is left for the third triple; "Bill" differs from the second "bill" in case only
    places = [(span.start, span.end, span.sublabel[0]) for span in document.spans]
    assert places == [(2, 6, "E"), (2, 6, "S"), (11, 15, "E"), (11, 15, "S")]


FAULTS = {
    "no answer": ({"answer": ""}, "answer: is no text; accepted: a string with more than white space"),
    "answer cut off": ({"answer": ANSWER[:-3]}, 'answer: is truncated; accepted: {"results": [{"Code", "Sub-code",'),
    "other keys": ({"answer": ANSWER.replace("Sub-code", "Subcode")}, "answer: is wrong_shape; accepted: "),
    "not in the message": (
        {"answer": ANSWER.replace("secret bill", "secret bills")},
        "answer.results[0]: has a Span that is not in the message; accepted: words copied from the message",
    ),
    "another query": (
        {"query": "A secret bill ."},
        "query: does not end as published; accepted: TO_PAT_YN and Context",
    ),
    "no message": ({"query": QUERY.replace("A secret bill .", "")}, "query: is no text; accepted: a string with more"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_row_is_named_by_its_place(tmp_path, fault):
    change, message = FAULTS[fault]
    path = write(tmp_path / "train.parquet", [ROW, ROW | change])
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert str(caught.value).startswith(f"{path}, line 2, {message}")
    assert "secret" not in str(caught.value)


def test_a_repeated_id_and_a_malformed_id_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 2, id: is already that of line 1; accepted: an id that no other"):
        read_documents(write(tmp_path / "train.parquet", [ROW | {"id": "7"}] * 2))
    with pytest.raises(DataError, match=r"line 1, id: is no identifier; accepted: a string without white space"):
        read_documents(write(tmp_path / "train.parquet", [ROW | {"id": "a b"}]))


FILES = {
    "train.csv": [
        (b"A secret bill,x\n", None),  # a header alone
        (
            b"A secret bill,x\n1,2\n",
            "line 2: has no column query, answer; accepted: query, answer or message, TO_PAT_YN",
        ),
        (b"query,answer\nA secret bill\n", "line 2: has not 2 fields; accepted: as line 1"),
        (b"query,answer\n\xe9,b\n", "is no UTF-8; accepted: a CSV file in UTF-8"),
        (b"\xef\xbb\xbfquery,answer\na,b\n", "line 1: begins with a byte order mark; accepted: UTF-8 without one"),
        (b'query,answer\n"a" secret,b\n', "is no CSV after line 1 ("),
        (b"query,answer,query\na,b,secret\n", "line 1: columns 1 and 3 have the same name; accepted: each name once"),
    ],
    "train.parquet": [(b"A secret bill", "cannot be read as Parquet; accepted: a Parquet file")],
    "train.jsonl": [
        (b'{"query": "A secret bill"}', "line 1: has no column answer; accepted: query, answer or"),
        (b'{"query": ', "line 1: no JSON at character 11"),
    ],
}


@pytest.mark.parametrize(
    ("name", "content", "message"), [(name, *case) for name, cases in FILES.items() for case in cases]
)
def test_a_file_that_does_not_have_the_format_of_its_ending(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert (message or "holds no row; accepted: a datasets folder") in str(caught.value)
    assert str(caught.value).startswith(str(path)) and "secret" not in str(caught.value)


def test_a_parquet_file_that_has_a_column_twice(tmp_path):
    path, cells = tmp_path / "train.parquet", [pa.array(["a"])] * 4
    pq.write_table(pa.table(cells, ["query", "secret", "answer", "secret"]), path)
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert str(caught.value) == f"{path}: columns 2 and 4 have the same name; accepted: each name once"


def test_folders_that_hold_no_table(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(
        DataError, match="train: is no datasets folder; accepted: what save_to_disk wrote for one split"
    ):
        read_documents(tmp_path / "train")
    DatasetDict({"train": Dataset.from_list([ROW])}).save_to_disk(tmp_path / "dev")
    with pytest.raises(DataError, match="dev: holds splits itself; accepted: what save_to_disk wrote for one split"):
        read_documents(tmp_path / "dev")
    for name in ("train.parquet", "train.csv", "train.jsonl"):
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            read_documents(tmp_path / name)


def test_a_datasets_folder_that_was_copied_in_part(tmp_path):
    path = write(tmp_path / "train", [ROW] * 100)
    [rows] = path.glob("*.arrow")
    rows.write_bytes(rows.read_bytes()[: rows.stat().st_size // 2])
    with pytest.raises(DataError, match="train: is no datasets folder; accepted: what save_to_disk wrote"):
        read_documents(path)


@pytest.mark.parametrize("name", ["train", "train.parquet"])
def test_tables_whose_texts_are_no_utf8(tmp_path, name):
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"secret \xe9"], pa.binary()).buffers())
    table, path = pa.table({"query": [QUERY], "answer": bad}), tmp_path / name
    if path.suffix:
        pq.write_table(table, path)
    else:
        Dataset(table).save_to_disk(path)
    with pytest.raises(DataError) as caught:
        read_documents(path)
    assert str(caught.value) == f"{path}: has a text that is no UTF-8; accepted: UTF-8"
