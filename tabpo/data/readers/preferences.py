"""Reader of preferences, the user's or published ones: a prompt, a chosen and a rejected answer; texts stay unchanged.

Beside rows with the keys of `KEYS`, it reads rows without a prompt, whose two answers are whole chats, as in
UltraFeedback and Anthropic's HH: what both chats share is the prompt.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier
from tabpo.data.reading import Reading
from tabpo.data.splitting import carve_dev
from tabpo.data.tabular import read_rows
from tabpo.records import SPLITS, Document, Message, Preference, Prompt

KEYS = ("prompt", "chosen", "rejected", "system", "id", "group_id", "pair_weight", "chosen_weights", "rejected_weights")
NEEDED = ("chosen", "rejected")

PASSED_OVER = "values of other columns passed over"
"""As cards say it of columns that are none of `KEYS`, where the study gives `columns`."""

LEFT_OUT = "rows left out: "
"""Begins what cards say of faulty rows, where the study leaves them out."""

ROLES = {"human": "user", "gpt": "assistant"} | {role: role for role in ("system", "user", "assistant")}
"""The role of a message by its name in a file; the first two are those of ShareGPT."""

_TURN = re.compile(r"\n\n(Human|Assistant):")
"""What begins a turn in Anthropic's HH, whose chats are texts."""


def read_preferences(
    path: Path, columns: Mapping[str, str | None] | None = None, reading: Reading | None = None
) -> list[Preference]:
    """Read the rows in the order of the file. docs/own_data.md describes the formats.

    Args:
        path: A .jsonl, .json or .parquet file, or a folder of the package `datasets`.
        columns: For keys of `KEYS`, the file's name of the column; None for a column that is not read. Other keys have
            their own names, and columns that are none of them are passed over. If None, such columns are refused.
        reading: Its `noticed` counts the values that are `PASSED_OVER`.

    Raises:
        DataError: The file does not have the format. The message names file, line and key, and what is accepted; it
            contains no text of a row.
    """
    reading = reading or Reading()
    return reading.each(_preference, _rows(path, columns, reading))


def read_all(path: Path, columns: Mapping[str, str | None] | None, noticed: Counter[str]) -> list[Preference]:
    """Read all rows, and refuse the first that has a fault; the arguments are those of `read_possible`."""
    return read_preferences(path, columns, Reading(noticed=noticed))


def read_possible(path: Path, columns: Mapping[str, str | None] | None, noticed: Counter[str]) -> list[Preference]:
    """Read the rows that have no fault, and count the others in `noticed` by kind of their faults.

    Raises:
        DataError: The file cannot be read, or has no row without a fault.
    """
    reading = Reading(noticed=noticed, faults=[])
    rows = read_preferences(path, columns, reading)
    if not rows:
        raise reading.faults[0]
    for fault in reading.faults:
        problem = str(fault).partition(": ")[2].partition("; accepted")[0]
        noticed[LEFT_OUT + re.sub(r"\d+", "n", problem)] += 1
    return rows


def _rows(
    path: Path, columns: Mapping[str, str | None] | None, reading: Reading
) -> Iterator[tuple[Place, dict[str, Any]]]:
    seen: dict[str, int] = {}
    for line, raw in read_rows(path, ((),), reading.of_one):
        with reading.of_one():
            where = f"{path}, line {line}"
            row = raw if columns is None else _named(Place(path, line, ""), raw, columns, reading.noticed)
            given = row.get("id")
            name = f"{path.stem}-{line}" if given is None else identifier(where, {"id": _text(given)}, "id")
            place = Place(path, line, name)
            check_unseen(place, "id", seen)
            place.fields("the line", row, NEEDED, [key for key in KEYS if key not in NEEDED])
            yield place, row


def _text(value: Any) -> Any:
    """Return a whole number as text, since published files number their rows; other values are returned unchanged."""
    return str(value) if type(value) is int else value


def _named(
    place: Place, raw: dict[str, Any], columns: Mapping[str, str | None], noticed: Counter[str]
) -> dict[str, Any]:
    """Return a row with the keys of `KEYS`; a column that `columns` names must be there."""
    wanted = {key: columns.get(key, key) for key in KEYS}
    for key, column in columns.items():
        if column is not None and column not in raw:
            raise place.error("the line", f"has no column {column}, which columns.{key} names; accepted: its columns")
    noticed.update([PASSED_OVER] * len(raw.keys() - set(wanted.values())))
    return {key: raw[column] for key, column in wanted.items() if column in raw}


def _preference(place: Place, row: dict[str, Any]) -> Preference:
    group_id = row.get("group_id")
    asked = () if row.get("prompt") is None else _prompt(place, row["prompt"])
    chats = {side: _chat(place, side, row[side], asked=bool(asked)) for side in NEEDED}
    whole = {side: chat for side, chat in chats.items() if len(chat) > 1}
    if whole or not asked:
        asked = _shared(place, asked, chats)
    chosen, rejected = (chats[side][-1].content for side in NEEDED)
    if chosen == rejected:
        raise place.error("rejected", "equals the chosen answer; accepted: another answer")
    return Preference(
        prompt_id=place.doc_id,
        group_id=None if group_id is None else place.string("group_id", _text(group_id)),
        messages=_with_system(place, asked, row.get("system")),
        chosen=chosen,
        rejected=rejected,
        weight=1.0 if row.get("pair_weight") is None else _weight(place, "pair_weight", row["pair_weight"]),
        **_token_weights(place, row),
    )


def _token_weights(place: Place, row: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return the weights of the tokens of both answers, or nothing if the row has none."""
    given = {key: row[key] for key in ("chosen_weights", "rejected_weights") if row.get(key) is not None}
    if len(given) == 1:
        raise place.error(min(given), "is there without the other answer's; accepted: weights of both answers, or none")
    return {
        key: tuple(_weight(place, f"{key}[{number}]", value) for number, value in enumerate(place.items(key, values)))
        for key, values in given.items()
    }


def _weight(place: Place, field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise place.error(field, "is no weight; accepted: a number from 0")
    return float(value)


def _shared(place: Place, asked: tuple[Message, ...], chats: Mapping[str, tuple[Message, ...]]) -> tuple[Message, ...]:
    """Return what two whole chats share: all but their last messages. It must hold the prompt, if the row has one."""
    chosen, rejected = chats.values()
    if chosen[:-1] != rejected[:-1]:
        raise place.error(
            "rejected", "parts from the chosen chat before its last message; accepted: chats alike until then"
        )
    shared = chosen[:-1]
    if not _alternate([message.role for message in shared]):
        raise place.error("chosen", f"has wrong roles; accepted: {_ROLES_OF_PROMPTS}, then assistant")
    if asked and asked != shared and not (len(asked) == 1 and asked[0] in shared):
        raise place.error("prompt", "is no message of both chats; accepted: a prompt that they begin with, or none")
    return shared


def _with_system(place: Place, messages: tuple[Message, ...], system: Any) -> tuple[Message, ...]:
    """Put a system message before a prompt; published files have an empty text where there is none."""
    if system is None or system == "":
        return messages
    if messages[0].role == "system":
        raise place.error("system", "is there, and the prompt begins with a system message; accepted: one of them")
    return (Message("system", place.string("system", system)), *messages)


_ROLES_OF_PROMPTS = "user, assistant, .., user, perhaps after one system"


def _alternate(roles: Sequence[str]) -> bool:
    """Whether user and assistant alternate, perhaps after a system message, and the user is first and last."""
    turns = roles[1:] if roles[:1] == ["system"] else roles
    return len(turns) % 2 == 1 and turns == [("user", "assistant")[number % 2] for number in range(len(turns))]


def _prompt(place: Place, value: Any) -> tuple[Message, ...]:
    """Return a prompt as a chat; a string becomes the user's single message."""
    if isinstance(value, str):
        return (Message("user", place.string("prompt", value)),)
    messages = _messages(place, "prompt", value)
    if not _alternate([message.role for message in messages]):
        raise place.error("prompt", f"has wrong roles; accepted: {_ROLES_OF_PROMPTS}")
    return messages


def _chat(place: Place, field: str, value: Any, *, asked: bool) -> tuple[Message, ...]:
    """Return an answer as a chat whose last message is the answer; the chat is whole if it has more messages.

    A string is the answer alone if the row has a prompt. Otherwise it must be a chat in the form of Anthropic's HH.
    """
    if isinstance(value, str) and asked:
        return (Message("assistant", place.string(field, value)),)
    if isinstance(value, str):
        before, *turns = _TURN.split(value)
        if before or not turns:
            raise place.error(
                field, "is a text, and the row has no prompt; accepted: a prompt, or whole chats (Human:, Assistant:)"
            )
        pairs = zip(turns[::2], turns[1::2], strict=True)
        messages = tuple(
            Message({"Human": "user", "Assistant": "assistant"}[who], place.string(field, text.removeprefix(" ")))
            for who, text in pairs
        )
    else:
        messages = _messages(place, field, [value] if isinstance(value, dict) else value)
    if not messages or messages[-1].role != "assistant":
        raise place.error(field, "does not end with the assistant; accepted: a string, one message, or a whole chat")
    return messages


def _messages(place: Place, field: str, value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise place.error(field, "is neither text nor chat; accepted: a string, or a list of role and content")
    messages = []
    for number, item in enumerate(value):
        where = f"{field}[{number}]"
        who, what = ("from", "value") if isinstance(item, dict) and "from" in item else ("role", "content")
        place.fields(where, item, (who, what))
        role = ROLES.get(place.string(f"{where}.{who}", item[who]))
        if role is None:
            raise place.error(f"{where}.{who}", f"is unknown; accepted: {', '.join(ROLES)}")
        messages.append(Message(role, place.string(f"{where}.{what}", item[what])))
    return tuple(messages)


def with_dev(rows: Mapping[str, Sequence[Preference]], dev_share: float | None) -> dict[str, list[Preference]]:
    """Return the rows of train, dev and test; where there is no dev, this share of the groups of train becomes dev.

    Raises:
        DataError: Raised by `carve_dev`.
    """
    taken: set[str] = set()
    if "dev" not in rows:
        taken = {document.doc_id for document in carve_dev(as_documents(rows["train"]), dev_share)[1]}
    parts = {**rows, "train": [row for row in rows["train"] if row.prompt_id not in taken]}
    parts.setdefault("dev", [row for row in rows["train"] if row.prompt_id in taken])
    return {split: list(parts[split]) for split in SPLITS}


def as_documents(rows: Sequence[Preference]) -> list[Document]:
    """Make documents without annotations from the prompts, so that splits can be checked for shared ids and texts."""
    texts = ["\n".join(message.content for message in row.messages) for row in rows]
    return [
        Document(row.prompt_id, row.group_id, text, tuple(text.split()), ((0, len(text.split())),), ())
        for row, text in zip(rows, texts, strict=True)
    ]


def as_prompts(rows: Sequence[Preference]) -> list[Prompt]:
    """Make prompts with the chosen answer as gold, for SFT; the rows of one group count as one document."""
    return [Prompt(row.prompt_id, row.group_id or row.prompt_id, row.messages, row.chosen) for row in rows]
