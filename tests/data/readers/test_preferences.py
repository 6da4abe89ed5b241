"""Preferences: which lines are read and which are refused, and the pairs and the card that are made from them."""

import json
import math
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from tabpo.data.preference_card import preference_card
from tabpo.data.readers.preferences import (
    LEFT_OUT,
    PASSED_OVER,
    as_documents,
    as_prompts,
    read_possible,
    read_preferences,
)
from tabpo.data.reading import Reading
from tabpo.data.validation import check_splits
from tabpo.errors import DataError
from tabpo.pairs.audit import describe_given
from tabpo.pairs.draw import Pairing
from tabpo.pairs.given import given_pairs
from tabpo.records import Message, Preference
from tabpo.reports.card_page import render_card

LINE = {"prompt": "SECRET question", "chosen": "SECRET yes", "rejected": "SECRET no"}
USER, ASSISTANT = {"role": "user", "content": "SECRET a"}, {"role": "assistant", "content": "SECRET b"}
SYSTEM = {"role": "system", "content": "SECRET c"}


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def row(name, chosen="yes", rejected="no", prompt="why", group_id=None):
    return Preference(name, group_id, (Message("user", prompt),), chosen, rejected)


def test_texts_and_chats_are_read_as_they_are(tmp_path):
    chat = {"id": "t", "group_id": "g", "prompt": [SYSTEM, USER, ASSISTANT, USER], "chosen": [ASSISTANT]}
    rows = read_preferences(write(tmp_path / "train.jsonl", LINE | {"chosen": " a\n"}, chat | {"rejected": "no"}))
    assert rows[0] == Preference("train-1", None, (Message("user", "SECRET question"),), " a\n", "SECRET no")
    assert [message.role for message in rows[1].messages] == ["system", "user", "assistant", "user"]
    assert (rows[1].prompt_id, rows[1].group_id, rows[1].chosen, rows[1].rejected) == ("t", "g", "SECRET b", "no")
    assert as_prompts(rows)[1].answer == "SECRET b"
    assert as_documents(rows)[1].text == "SECRET c\nSECRET a\nSECRET b\nSECRET a"


ASKED, YES, NO = "Is rain wet?", "Yes.", "No."
CHAT = [{"role": "user", "content": ASKED}]
PUBLISHED = {
    "ultrafeedback": (
        {
            "prompt": ASKED,
            "prompt_id": "a",
            "chosen": [*CHAT, {"role": "assistant", "content": YES}],
            "rejected": [*CHAT, {"role": "assistant", "content": NO}],
            "score_chosen": 8.0,
            "score_rejected": 3.0,
        },
        {},
    ),
    "hh": (
        {"chosen": f"\n\nHuman: {ASKED}\n\nAssistant: {YES}", "rejected": f"\n\nHuman: {ASKED}\n\nAssistant: {NO}"},
        None,
    ),
    "chats": (
        {side: [*CHAT, {"role": "assistant", "content": text}] for side, text in (("chosen", YES), ("rejected", NO))},
        None,
    ),
    "sharegpt": (
        {
            "conversations": [{"from": "human", "value": ASKED}],
            "chosen": {"from": "gpt", "value": YES},
            "rejected": {"from": "gpt", "value": NO},
        },
        {"prompt": "conversations"},
    ),
    "orca": ({"system": "", "question": ASKED, "chosen": YES, "rejected": NO}, {"prompt": "question"}),
}
"""A row of each published format, and the `columns` that read it."""


def save(path, rows):
    """Write rows in the form of the path's ending."""
    if path.suffix == ".jsonl":
        return write(path, *rows)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        Dataset.from_list(rows).save_to_disk(path)
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet", ""])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_formats_become_the_same_pair(tmp_path, name, ending):
    published, columns = PUBLISHED[name]
    reading = Reading()
    (pair,) = read_preferences(save(tmp_path / f"train{ending}", [published]), columns, reading)
    assert pair == Preference("train-1", None, (Message("user", ASKED),), YES, NO)
    assert reading.noticed == ({PASSED_OVER: 3} if name == "ultrafeedback" else {})


def test_the_common_prefix_of_two_chats_is_the_prompt_and_a_system_column_leads_it(tmp_path):
    turns = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Is rain wet?"
    line = {"system": "Be short.", "chosen": f"{turns}\n\nAssistant: Yes.\n", "rejected": f"{turns}\n\nAssistant: No."}
    (pair,) = read_preferences(write(tmp_path / "a.jsonl", line))
    expected = [("system", "Be short."), ("user", "Hi"), ("assistant", "Hello"), ("user", ASKED)]
    assert [(message.role, message.content) for message in pair.messages] == expected
    assert (pair.chosen, pair.rejected) == ("Yes.\n", "No.")


def test_a_prompt_that_two_whole_chats_do_not_hold_is_refused(tmp_path):
    published, columns = PUBLISHED["ultrafeedback"]
    with pytest.raises(DataError, match="line 1, prompt: is no message of both chats"):
        read_preferences(write(tmp_path / "a.jsonl", published | {"prompt": "Other?"}), columns)


def test_a_column_that_is_not_there_is_refused_and_null_means_not_read(tmp_path):
    path = write(tmp_path / "a.jsonl", LINE | {"id": "two words"})
    with pytest.raises(DataError, match=r"line 1, the line: has no column question, which columns\.prompt names"):
        read_preferences(path, {"prompt": "question"})
    assert read_preferences(path, {"id": None})[0].prompt_id == "a-1"


def test_rows_that_are_no_pairs_are_left_out_and_counted_by_kind(tmp_path):
    equal, late = LINE | {"rejected": LINE["chosen"]}, {"chosen": "\n\nHuman: a", "rejected": "b"}
    path, noticed = write(tmp_path / "a.jsonl", LINE, equal, late, equal), Counter()
    assert [pair.prompt_id for pair in read_possible(path, None, noticed)] == ["a-1"]
    assert noticed == {
        f"{LEFT_OUT}equals the chosen answer": 2,
        f"{LEFT_OUT}does not end with the assistant": 1,
    }
    with pytest.raises(DataError, match="line 1, rejected: equals the chosen answer"):
        read_possible(write(tmp_path / "b.jsonl", equal), None, Counter())


def test_the_card_counts_repeated_and_contradictory_pairs():
    rows = [row("a"), row("b", chosen="no", rejected="yes"), row("c"), row("d", prompt="how")]
    split = preference_card({"train": rows, "test": [row("e", prompt="when")]}, {})["splits"]["train"]
    assert (split["repeated"], split["contradictory"]) == (1, 3)  # c repeats a; a, b and c contradict one another


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rejected": "SECRET yes"}, "rejected: equals the chosen answer; accepted: another answer"),
        ({"chosen": " "}, "chosen: is no text; accepted: a string with more than white space"),
        ({"chosen": None}, "chosen: is neither text nor chat; accepted: a string, or a list of role and content"),
        ({"chosen": []}, "chosen: does not end with the assistant; accepted: a string, one message, or a whole chat"),
        ({"chosen": [USER]}, "chosen: does not end with the assistant"),
        (
            {"chosen": [USER, ASSISTANT]},
            "rejected: parts from the chosen chat before its last message; accepted: chats",
        ),
        (
            {"chosen": [ASSISTANT | {"role": "SECRET"}]},
            "chosen[0].role: is unknown; accepted: human, gpt, system, user",
        ),
        ({"chosen": [ASSISTANT | {"role": ["user"]}]}, "chosen[0].role: is no text"),
        ({"prompt": None}, "chosen: is a text, and the row has no prompt; accepted: a prompt, or whole chats (Human:"),
        ({"system": 3}, "system: is no text"),
        (
            {"system": "SECRET", "prompt": [SYSTEM, USER]},
            "system: is there, and the prompt begins with a system message",
        ),
        ({"chosen": [ASSISTANT | {"content": 3}]}, "chosen[0].content: is no text; accepted: a string with more than"),
        ({"chosen": ["SECRET"]}, "chosen[0]: is no object; accepted: an object with role, content"),
        ({"prompt": []}, "prompt: has wrong roles; accepted: user, assistant, .., user, perhaps after one system"),
        ({"prompt": [USER, ASSISTANT]}, "prompt: has wrong roles"),
        ({"prompt": [USER, USER, USER]}, "prompt: has wrong roles"),
        ({"prompt": [USER, SYSTEM, USER]}, "prompt: has wrong roles"),
        ({"prompt": 7}, "prompt: is neither text nor chat"),
        ({"group_id": [7]}, "group_id: is no text"),
        ({"id": "train-1"}, "id: is already that of line 1; accepted: an id that no other line has"),
        ({"score_chosen": 1.0}, "accepted: chosen, rejected, prompt, system, id, group_id"),
    ],
)
def test_a_faulty_line_is_named_and_its_text_is_not(tmp_path, change, message):
    path = write(tmp_path / "train.jsonl", LINE, LINE | change)
    with pytest.raises(DataError) as error:
        read_preferences(path)
    assert str(error.value).startswith(f"{path}, line 2, ")
    assert message in str(error.value) and "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no document"),
        (b"{}\n", "line 1, the line: lacks chosen, rejected"),
        (b'{"prompt": "\xff"}\n', "line 1: byte 13 is no UTF-8"),
        (b"[]\n", "line 1: is no object"),
        (b'{"id": "a b"}\n', "line 1, id: is no identifier"),
    ],
)
def test_a_faulty_file_is_named(tmp_path, content, message):
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_preferences(path)


def test_pairs_are_the_rows_and_flips_change_their_sides():
    rows = [row(f"r{number}") for number in range(200)]
    pairs, tally = given_pairs(rows, Pairing("given", 1, 1, 0.0, 1, 4), list)
    assert [(pair.pair_id, pair.chosen, pair.rejected, pair.edits) for pair in pairs[:1]] == [("r0/0", "yes", "no", ())]
    assert pairs[0].token_edit_distance == 3 and tally.flipped == 0  # letters are the tokens here: y, e, s to n, o
    flipped, tally = given_pairs(rows, Pairing("given", 1, 1, 0.4, 1, 4), list)
    assert sum(pair.chosen == "no" for pair in flipped) == tally.flipped
    assert 50 < tally.flipped < 110
    assert flipped[::-1] == given_pairs(rows[::-1], Pairing("given", 1, 1, 0.4, 1, 4), list)[0]


def test_the_audit_counts_pairs_and_distances():
    _, tally = given_pairs([row(f"r{n}") for n in range(4)], Pairing("given", 1, 1, 0.0, 1, 4), list)
    report = describe_given(tally)
    assert (report["pairs"], report["pairs_flipped"], report["token_edit_distance"]["mean"]) == (4, 0, 3)


def test_an_answer_over_the_cap_is_refused_with_its_end_counted():
    with pytest.raises(DataError, match=r"prompt 1: an answer has 4 tokens, .* max_completion_tokens is 3"):
        given_pairs([row("r")], Pairing("given", 1, 1, 0.0, 1, 3), list)


def test_answers_that_are_the_same_tokens_are_refused():
    with pytest.raises(DataError, match="prompt 1: chosen and rejected are the same 1 tokens"):
        given_pairs([row("r")], Pairing("given", 1, 1, 0.0, 1, 9), lambda text: [0])


def test_a_prompt_of_two_splits_is_refused_by_its_rows():
    long = "one two three four five six seven eight"
    splits = {"train": [row("a", prompt=long)], "test": [row("b", prompt=long)]}
    with pytest.raises(DataError, match="document 1 of train and document 1 of test have the same text"):
        check_splits({split: as_documents(rows) for split, rows in splits.items()})


def test_the_card_counts():
    rows = {
        "train": [
            row(f"a{number}", chosen="longer" if number < 7 else "y", prompt=f"p{number}") for number in range(9)
        ],
        "test": [row("b", prompt="p1", group_id="g")],
    }
    card = preference_card(rows, {})
    assert card["group_id"].startswith("absent from some documents")
    assert card["splits"]["train"]["chosen_longer"] == 7 and card["splits"]["train"]["different_prompts"] == 9
    assert card["splits"]["train"]["characters_per_chosen"] == {"mean": 4.89, "max": 6}  # (7 x 6 + 2 x 1) / 9
    assert card["leaks"]["train-test"]["texts"] == 1
    page = render_card("ours", {"private": True, **card})
    assert "| Chosen longer | 7 | 1 |" in page and "| Characters per chosen, mean | 4.89 | 3.0 |" in page


def test_weights_of_pairs_and_tokens_are_read(tmp_path):
    tokens = {"chosen_weights": [1, 0.5], "rejected_weights": [2]}
    plain, weighted = read_preferences(write(tmp_path / "train.jsonl", LINE, LINE | {"pair_weight": 2} | tokens))
    assert (plain.weight, plain.chosen_weights, plain.rejected_weights) == (1.0, None, None)
    assert (weighted.weight, weighted.chosen_weights, weighted.rejected_weights) == (2.0, (1.0, 0.5), (2.0,))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pair_weight": -1}, "pair_weight: is no weight; accepted: a number from 0"),
        ({"pair_weight": True}, "pair_weight: is no weight"),
        ({"pair_weight": math.inf}, "pair_weight: is no weight"),
        ({"chosen_weights": [1]}, "chosen_weights: is there without the other answer's; accepted: weights of both"),
        ({"chosen_weights": 1, "rejected_weights": [1]}, "chosen_weights: is no list; accepted: a list"),
        (
            {"chosen_weights": [1], "rejected_weights": [1, "2"]},
            r"rejected_weights\[1\]: is no weight; accepted: a number",
        ),
    ],
)
def test_refused_weights(tmp_path, keys, message):
    with pytest.raises(DataError, match=f"train.jsonl, line 2, {message}"):
        read_preferences(write(tmp_path / "train.jsonl", LINE, LINE | keys))


def test_weights_go_with_their_answers_where_labels_are_flipped():
    def pairs_of(flip_rate, rows):
        pairing = Pairing("given", 1, 1, flip_rate, 1, 9)
        return given_pairs(rows, pairing, lambda text: list(text.encode()))[0]

    rows = [replace(row(f"r{n}"), weight=n, chosen_weights=(1,) * 4, rejected_weights=(2,) * 3) for n in range(20)]
    assert [pair.weight for pair in pairs_of(0.5, rows)] == list(range(20))
    by_answer = {(pair.chosen, pair.chosen_weights, pair.rejected_weights) for pair in pairs_of(0.5, rows)}
    assert by_answer == {("yes", (1,) * 4, (2,) * 3), ("no", (2,) * 3, (1,) * 4)}
    with pytest.raises(
        DataError, match="prompt 2: has weights of tokens or lacks them, unlike prompt 1; accepted: all"
    ):
        pairs_of(0.0, [rows[0], row("plain")])
