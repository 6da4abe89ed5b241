"""Files of answers from other systems: every form, and one message for each fault, without a prompt id."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabpo.data.imported import read_answers
from tabpo.errors import DataError

IDS = ["anna#0", "anna#1", "ben#0"]
ROWS = [
    {"prompt_id": "ben#0", "answer": "", "score": "0.5"},
    {"prompt_id": "anna#0", "answer": '{"entities":[],\n"relations":[]}', "score": "1"},
    {"prompt_id": "anna#1", "answer": "I do not know, “sorry”", "score": "0"},
]


def written(folder, rows, ending=".jsonl"):
    path = folder / f"answers{ending}"
    if ending == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_answers_are_taken_as_they_are_in_the_order_of_the_prompts(tmp_path, ending):
    completions = read_answers(written(tmp_path, ROWS, ending), IDS, tmp_path / "test.parquet")
    assert [item.prompt_id for item in completions] == IDS
    assert [item.completion for item in completions] == [ROWS[1]["answer"], ROWS[2]["answer"], ""]
    assert {(item.n_tokens, item.finished) for item in completions} == {(None, None)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, {"prompt_id": "cleo#0", "answer": ""}], "row 4, prompt_id: is no prompt of this split; accepted: the"),
        ([ROWS[0], {"prompt_id": 7, "answer": ""}], "row 2, prompt_id: is no prompt of this split"),
        ([*ROWS, ROWS[1]], "row 4, prompt_id: is already that of row 2; accepted: each prompt once"),
        ([*ROWS[:2], {"prompt_id": "anna#1", "answer": None}], "row 3, answer: is no text; accepted: the answer as a"),
        (
            ROWS[:1],
            "has no answer to 2 of the 3 prompts, the first of them in row 1 of test.parquet; accepted: an answer to",
        ),
        ([{"prompt_id": "anna#0", "text": ""}], "line 1: has no column answer; accepted: prompt_id, answer"),
        ([], "holds no document"),
    ],
)
def test_a_fault_is_named_by_its_row_without_the_prompts_id(tmp_path, rows, message):
    with pytest.raises(DataError) as error:
        read_answers(written(tmp_path, rows), IDS, "test.parquet")
    assert str(error.value).startswith(f"{tmp_path / 'answers.jsonl'}") and message in str(error.value)
    assert "anna" not in str(error.value) and "cleo" not in str(error.value)
