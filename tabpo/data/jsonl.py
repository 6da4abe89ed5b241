"""Files of JSON lines with one document per line. Errors name the place of a fault, never a text or a document's id."""

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabpo.errors import DataError


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a document in its file, for error messages.

    Messages do not contain the document's id or the name of its file in a folder, which may be the name of a patient.

    Attributes:
        path: The file, or the folder and the number of the file in it.
        line: Line number, from 1.
        doc_id: Id of the document.
    """

    path: Path | str
    line: int
    doc_id: str

    def error(self, field: str, problem: str) -> DataError:
        """Make the error for one field; `problem` says what is wrong and what is accepted."""
        return DataError(f"{self.path}, line {self.line}, {field}: {problem}")

    def fields(self, field: str, value: Any, required: Collection[str], optional: Collection[str] = ()) -> None:
        """Refuse a value that is not an object, lacks a required key, or has a key that is not accepted."""
        if not isinstance(value, dict):
            raise self.error(field, f"is no object; accepted: an object with {', '.join(required)}")
        missing = sorted(set(required) - set(value))
        unknown = [place for place, key in enumerate(value, start=1) if key not in {*required, *optional}]
        if missing or unknown:
            raise self.error(field, _keys_differ(missing, unknown, [*required, *optional]))

    def items(self, field: str, value: Any, length: int | None = None) -> list[Any]:
        """Return `value` if it is a list, and has `length` items where a length is given; else raise."""
        if not isinstance(value, list):
            raise self.error(field, "is no list; accepted: a list")
        if length is not None and len(value) != length:
            raise self.error(field, f"has {len(value)} items; accepted: {length}")
        return value

    def string(self, field: str, value: Any) -> str:
        """Return `value` if it is a string with more than white space in it; else raise."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(field, "is no text; accepted: a string with more than white space")
        return value

    def integer(self, field: str, value: Any, low: int, end: int) -> int:
        """Return `value` if it is an integer with `low <= value < end`; else raise. True and False are refused."""
        if type(value) is not int or not low <= value < end:
            shown = value if type(value) is int else f"a {type(value).__name__}"
            raise self.error(field, f"is {shown}; accepted: a whole number from {low} to {end - 1}")
        return value


OfOne = Callable[[], AbstractContextManager[None]]
"""Makes the block in which one line is read; `Reading.of_one` keeps the fault of a line and goes on with the next."""


def read_objects(
    path: Path, id_key: str, keys: Collection[str], optional: Collection[str] = (), of_one: OfOne = nullcontext
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the object of each line with its place.

    Every object has all of `keys`, perhaps some of `optional`, and no others. The value of `id_key` is unique in the
    file.

    Raises:
        DataError: The file cannot be read or is empty; a line is empty, is not UTF-8, is not a JSON object, or has
            wrong or repeated keys; an id is not a string, contains white space, `#` or `/`, or occurs twice. The
            message names file and line.
    """
    seen: dict[str, int] = {}
    for line, row in read_lines(path, of_one):
        with of_one():
            place = Place(path, line, identifier(f"{path}, line {line}", row, id_key))
            check_unseen(place, id_key, seen)
            place.fields("the line", row, keys, optional)
            yield place, row


def check_unseen(place: Place, id_key: str, seen: dict[str, int]) -> None:
    """Refuse a document whose id an earlier line has; otherwise add it to `seen`, the lines by id."""
    if place.doc_id in seen:
        line = seen[place.doc_id]
        raise place.error(id_key, f"is already that of line {line}; accepted: an id that no other line has")
    seen[place.doc_id] = place.line


def read_lines(path: Path, of_one: OfOne = nullcontext) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line, from 1, and its JSON object.

    Raises:
        DataError: The file cannot be read or is empty, or a line is empty, is not UTF-8 or is not a JSON object with
            each key once. The message names file and line.
    """
    for line, raw in enumerate(_content(path).removesuffix(b"\n").split(b"\n"), start=1):
        with of_one():
            yield line, _object_of(f"{path}, line {line}", _parse(f"{path}, line {line}", raw))


def read_list(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file that is one JSON list of objects.

    Raises:
        DataError: The file cannot be read or is empty, is not UTF-8, or is not such a list with each key once. The
            message names the file, and the number of the object, from 1.
    """
    value = _parse(f"{path}", _content(path))
    if not isinstance(value, list):
        raise DataError(f"{path}: is no list; accepted: a JSON list of objects, or .jsonl with an object a line")
    return [_object_of(f"{path}, object {number}", item) for number, item in enumerate(value, start=1)]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a file of JSON") from error
    if not content.strip():
        raise DataError(f"{path}: holds no document; accepted: JSON objects")
    check_mark(path, content)
    return content


def check_mark(path: Path | str, content: bytes) -> None:
    """Refuse a file that begins with a byte order mark, which would become part of its first text or key.

    Raises:
        DataError: The file begins with the mark. The message names the file.
    """
    if content.startswith(codecs.BOM_UTF8):
        raise DataError(f"{path}, line 1: begins with a byte order mark; accepted: UTF-8 without one")


def _parse(where: str, raw: bytes) -> Any:
    try:
        row = json.loads(raw.decode(), object_pairs_hook=_object)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: a string holds half of a surrogate pair; accepted: whole characters") from error
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise DataError(
            f"{where}: no JSON at {line}character {error.colno} ({error.msg}); accepted: JSON objects"
        ) from error
    except _RepeatedKeyError as error:
        raise DataError(f"{where}: an object has the key in place {error} again; accepted: each key once") from error
    except ValueError as error:
        raise DataError(f"{where}: a number has more digits than can be read; accepted: whole numbers") from error
    except RecursionError as error:
        raise DataError(f"{where}: nested too deeply; accepted: the published format") from error
    return row


def _object_of(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: is no object; accepted: a JSON object")
    return value


class _RepeatedKeyError(Exception):
    """An object has a key twice. The argument is the position of its first use, from 1; the key may be private text."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(place for place, key in enumerate(keys, start=1) if key in keys[place:]))
    return row


def identifier(where: str, row: dict[str, Any], id_key: str) -> str:
    """Return the document's id, from which the ids of its prompts and pairs are made.

    Raises:
        DataError: The key `id_key` is missing, or its value is not a string or contains white space, `#` or `/`.
    """
    if id_key not in row:
        raise DataError(f"{where}: has no {id_key}; accepted: a string that no other line has")
    doc_id = row[id_key]
    if not isinstance(doc_id, str) or not re.fullmatch(r"[^\s#/]+", doc_id):
        raise DataError(f"{where}, {id_key}: is no identifier; accepted: a string without white space, # and /")
    return doc_id


def _keys_differ(missing: list[str], unknown: list[int], accepted: list[str]) -> str:
    """Describe wrong keys; unknown keys are given by their positions, from 1, because a key may be private text."""
    faults = [f"lacks {', '.join(missing)}"] * bool(missing)
    faults += [f"has an unknown key in place {', '.join(map(str, unknown))}"] * bool(unknown)
    return f"{' and '.join(faults)}; accepted: {', '.join(accepted)}"
