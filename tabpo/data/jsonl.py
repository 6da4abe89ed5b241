"""Published files of JSON lines: one document a line, every fault reported by its place, never by a text or a name."""

import codecs
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabpo.errors import DataError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is, for messages, which do not name it: an id or the name of a file may be a patient's.

    Attributes:
        path: Its file, or the folder and the number of its file.
        line: Counts from 1.
        doc_id: Of the document.
    """

    path: Path | str
    line: int
    doc_id: str

    def error(self, field: str, problem: str) -> DataError:
        """What is wrong with one field, and what is accepted."""
        return DataError(f"{self.path}, line {self.line}, {field}: {problem}")

    def fields(self, field: str, value: Any, required: Collection[str], optional: Collection[str] = ()) -> None:
        """Refuse what is no object, lacks a required key, or has a key that nobody reads."""
        if not isinstance(value, dict):
            raise self.error(field, f"is no object; accepted: an object with {', '.join(required)}")
        missing = sorted(set(required) - set(value))
        unknown = [place for place, key in enumerate(value, start=1) if key not in {*required, *optional}]
        if missing or unknown:
            raise self.error(field, _keys_differ(missing, unknown, [*required, *optional]))

    def items(self, field: str, value: Any, length: int | None = None) -> list[Any]:
        """The list that `value` is; `length` is how many items it must have."""
        if not isinstance(value, list):
            raise self.error(field, "is no list; accepted: a list")
        if length is not None and len(value) != length:
            raise self.error(field, f"has {len(value)} items; accepted: {length}")
        return value

    def string(self, field: str, value: Any) -> str:
        """The string that `value` is, with more in it than white space."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(field, "is no text; accepted: a string with more than white space")
        return value

    def integer(self, field: str, value: Any, low: int, end: int) -> int:
        """The whole number that `value` is, from `low` to below `end`."""
        if type(value) is not int or not low <= value < end:
            found = value if type(value) is int else f"a {type(value).__name__}"
            raise self.error(field, f"is {found}; accepted: a whole number from {low} to {end - 1}")
        return value


def read_objects(
    path: Path, id_key: str, keys: Collection[str], optional: Collection[str] = ()
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Each line's object with its place; all have these keys and no other, and the value of `id_key` is unique.

    Raises:
        DataError: The file cannot be read or has no lines; a line is empty, not UTF-8, no JSON object, or has
            other keys or one twice; an id is no string, holds white space, `#` or `/`, or comes twice. Names file and
            line.
    """
    seen: dict[str, int] = {}
    for line, row in read_lines(path):
        doc_id = identifier(f"{path}, line {line}", row, id_key)
        place = Place(path, line, doc_id)
        if doc_id in seen:
            raise place.error(id_key, f"was line {seen[doc_id]}'s already; accepted: an id that no other line has")
        seen[doc_id] = line
        place.fields("the line", row, keys, optional)
        yield place, row


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number, from 1, and object of each line.

    Raises:
        DataError: As `read_objects`, where keys and ids are not looked at.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a file of JSON lines") from error
    if not content.strip():
        raise DataError(f"{path}: holds no document; accepted: one JSON object a line")
    check_mark(path, content)
    for line, raw in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        yield line, _parse(f"{path}, line {line}", raw)


def check_mark(path: Path | str, content: bytes) -> None:
    """Refuse a file that begins with a mark of its encoding, which would be a part of its first text or key.

    Raises:
        DataError: Names the file.
    """
    if content.startswith(codecs.BOM_UTF8):
        raise DataError(f"{path}, line 1: begins with a byte order mark; accepted: UTF-8 without one")


def _parse(where: str, raw: bytes) -> dict[str, Any]:
    try:
        row = json.loads(raw.decode(), object_pairs_hook=_object)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: a string holds half of a surrogate pair; accepted: whole characters") from error
    except json.JSONDecodeError as error:
        problem = f"no JSON at character {error.colno} ({error.msg})"
        raise DataError(f"{where}: {problem}; accepted: one JSON object a line") from error
    except _RepeatedKeyError as error:
        raise DataError(f"{where}: an object has the key in place {error} again; accepted: each key once") from error
    except ValueError as error:
        raise DataError(f"{where}: a number has more digits than can be read; accepted: whole numbers") from error
    except RecursionError as error:
        raise DataError(f"{where}: nested too deeply; accepted: the published format") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: is no object; accepted: one JSON object a line")
    return row


class _RepeatedKeyError(Exception):
    """Holds the place of the key's first, from 1, among the object's: the key itself may be a text."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(place for place, key in enumerate(keys, start=1) if key in keys[place:]))
    return found


def identifier(where: str, row: dict[str, Any], id_key: str) -> str:
    """The document's id, which is a part of ids of prompts and pairs.

    Raises:
        DataError: There is none, or it is no string, or holds white space, `#` or `/`.
    """
    if id_key not in row:
        raise DataError(f"{where}: has no {id_key}; accepted: a string that no other line has")
    doc_id = row[id_key]
    if not isinstance(doc_id, str) or not re.fullmatch(r"[^\s#/]+", doc_id):
        raise DataError(f"{where}, {id_key}: is no identifier; accepted: a string without white space, # and /")
    return doc_id


def _keys_differ(missing: list[str], unknown: list[int], accepted: list[str]) -> str:
    """Unknown keys by their places from 1: what stands there may be a text."""
    faults = [f"lacks {', '.join(missing)}"] * bool(missing)
    faults += [f"has a key that is not known in place {', '.join(map(str, unknown))}"] * bool(unknown)
    return f"{' and '.join(faults)}; accepted: {', '.join(accepted)}"
