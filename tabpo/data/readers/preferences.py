"""Reader of a user's preferences: JSON lines with a prompt, a chosen and a rejected answer; texts stay unchanged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier, read_lines
from tabpo.data.reading import Reading
from tabpo.data.splitting import carve_dev
from tabpo.records import SPLITS, Document, Message, Prompt

KEYS = ("prompt", "chosen", "rejected")
OPTIONAL = ("id", "group_id")


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt with two answers.

    Attributes:
        name: The row's `id`, or `{file name}-{line}` if it has none.
        group_id: The group that must stay in one split; None if it is unknown.
        messages: The prompt as a chat; its last message is the user's.
        chosen: The better answer.
        rejected: The worse answer.
    """

    name: str
    group_id: str | None
    messages: tuple[Message, ...]
    chosen: str
    rejected: str


def read_preferences(path: Path, reading: Reading | None = None) -> list[Preference]:
    """Read the rows in the order of the file. docs/own_data.md describes the format.

    Raises:
        DataError: The file does not have the format. The message names file, line and key, and what is accepted; it
            contains no text of a row.
    """
    reading = reading or Reading()
    return reading.each(_preference, _rows(path, reading))


def _rows(path: Path, reading: Reading) -> Iterator[tuple[Place, dict[str, Any]]]:
    seen: dict[str, int] = {}
    for line, row in read_lines(path, reading.of_one):
        with reading.of_one():
            name = identifier(f"{path}, line {line}", row, "id") if "id" in row else f"{path.stem}-{line}"
            place = Place(path, line, name)
            check_unseen(place, "id", seen)
            place.fields("the line", row, KEYS, OPTIONAL)
            yield place, row


def _preference(place: Place, row: dict[str, Any]) -> Preference:
    group_id = row.get("group_id")
    chosen, rejected = (_answer(place, side, row[side]) for side in ("chosen", "rejected"))
    if chosen == rejected:
        raise place.error("rejected", "equals the chosen answer; accepted: another answer")
    return Preference(
        name=place.doc_id,
        group_id=None if group_id is None else place.string("group_id", group_id),
        messages=_prompt(place, row["prompt"]),
        chosen=chosen,
        rejected=rejected,
    )


def with_dev(rows: Mapping[str, Sequence[Preference]], dev_share: float | None) -> dict[str, list[Preference]]:
    """Return the rows of train, dev and test; where there is no dev, this share of the groups of train becomes dev.

    Raises:
        DataError: Raised by `carve_dev`.
    """
    taken: set[str] = set()
    if "dev" not in rows:
        taken = {document.doc_id for document in carve_dev(as_documents(rows["train"]), dev_share)[1]}
    parts = {**rows, "train": [row for row in rows["train"] if row.name not in taken]}
    parts.setdefault("dev", [row for row in rows["train"] if row.name in taken])
    return {split: list(parts[split]) for split in SPLITS}


def _prompt(place: Place, value: Any) -> tuple[Message, ...]:
    """Return a prompt as a chat; a string becomes the user's single message.

    In a chat the user's and the assistant's messages alternate, perhaps after a system message; the user has the first
    and the last.
    """
    if isinstance(value, str):
        return (Message("user", place.string("prompt", value)),)
    messages = _messages(place, "prompt", value)
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    expected = [("user", "assistant")[number % 2] for number in range(len(turns))]
    if turns != expected or len(turns) % 2 == 0:
        raise place.error("prompt", "has wrong roles; accepted: user, assistant, .., user, perhaps after one system")
    return messages


def _answer(place: Place, field: str, value: Any) -> str:
    """Return an answer, which is a string or a chat with a single message of the assistant."""
    if isinstance(value, str):
        return place.string(field, value)
    messages = _messages(place, field, value)
    if [message.role for message in messages] != ["assistant"]:
        raise place.error(field, "is not one message of the assistant; accepted: a string, or a list of one message")
    return messages[0].content


def _messages(place: Place, field: str, value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise place.error(field, "is neither text nor chat; accepted: a string, or a list of role and content")
    messages = []
    for number, item in enumerate(value):
        where = f"{field}[{number}]"
        place.fields(where, item, ("role", "content"))
        if item["role"] not in ("system", "user", "assistant"):
            raise place.error(f"{where}.role", "is unknown; accepted: system, user, assistant")
        messages.append(Message(item["role"], place.string(f"{where}.content", item["content"])))
    return tuple(messages)


def as_documents(rows: Sequence[Preference]) -> list[Document]:
    """Make documents without annotations from the prompts, so that splits can be checked for shared ids and texts."""
    texts = ["\n".join(message.content for message in row.messages) for row in rows]
    return [
        Document(row.name, row.group_id, text, tuple(text.split()), ((0, len(text.split())),), ())
        for row, text in zip(rows, texts, strict=True)
    ]


def as_prompts(rows: Sequence[Preference]) -> list[Prompt]:
    """Make prompts with the chosen answer as gold, for SFT; the rows of one group count as one document."""
    return [Prompt(row.name, row.group_id or row.name, row.messages, row.chosen) for row in rows]
