"""Rows of a table, read from a Hugging Face datasets folder, Parquet, JSON, JSON lines or CSV."""

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tabpo.data.jsonl import OfOne, check_mark, read_lines, read_list
from tabpo.errors import DataError

FORMS = "a datasets folder (save_to_disk), .parquet, .json, .jsonl or .csv"


def read_rows(
    path: Path, forms: Collection[Collection[str]], of_one: OfOne = nullcontext
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the content of each row, with all of its columns.

    Rows are numbered from 1; in a CSV file the number is that of the row's last line.

    Args:
        path: A datasets folder, or a file that ends in .parquet, .json, .jsonl or .csv.
        forms: Sets of column names; every row must have all columns of one of them.
        of_one: The block in which one row is checked; see `jsonl.OfOne`.

    Raises:
        DataError: The file cannot be read in the format of its ending, has no rows, or a row has none of the sets of
            columns. The message names the file.
    """
    ending = "" if path.is_dir() else path.suffix
    rows = _READERS[ending](path) if ending in _READERS else read_lines(path, of_one)
    has_rows = False
    for number, row in rows:
        has_rows = True
        with of_one():
            missing = min(([name for name in columns if name not in row] for columns in forms), key=len)
            if missing:  # the row's own column names are not shown: without a header line they may be private text
                accepted = " or ".join(", ".join(columns) for columns in forms)
                raise DataError(f"{path}, line {number}: has no column {', '.join(missing)}; accepted: {accepted}")
            yield number, row
    if not has_rows and ending in _READERS:  # `read_lines` has reported the faults of a file of lines
        raise DataError(f"{path}: holds no row; accepted: {FORMS} with at least one")


def _datasets_folder(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from datasets import Dataset, load_from_disk  # the import takes half a second, which other formats save

    try:
        table = load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:  # Arrow's exceptions are subclasses of these
        raise DataError(f"{path}: is no datasets folder; accepted: what save_to_disk wrote for one split") from error
    if not isinstance(table, Dataset):
        raise DataError(f"{path}: holds splits itself; accepted: what save_to_disk wrote for one split")
    with _in_utf8(path):
        yield from enumerate(table, start=1)


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        _check_names(str(path), pq.read_schema(path).names)
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as Parquet; accepted: a Parquet file") from error
    with _in_utf8(path):
        yield from enumerate(table.to_pylist(), start=1)


@contextmanager
def _in_utf8(path: Path) -> Iterator[None]:
    """Turn an encoding error inside the block into a DataError; Arrow decodes a text only when it is read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: has a text that is no UTF-8; accepted: UTF-8") from error


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            check_mark(path, file.read(3))
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_names(f"{path}, line 1", reader.fieldnames or [])
            for row in reader:
                if None in row or None in row.values():
                    columns = len(reader.fieldnames)
                    raise DataError(f"{path}, line {reader.line_num}: has not {columns} fields; accepted: as line 1")
                yield reader.line_num, row
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted: a CSV file in UTF-8") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8; accepted: a CSV file in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV after line {reader.line_num} ({error}); accepted: a CSV file") from error


def _check_names(where: str, names: Sequence[str]) -> None:
    """Refuse two columns of one name. The message gives their positions: without a header line a name may be text."""
    for number, name in enumerate(names, start=1):
        first = names.index(name) + 1
        if first < number:
            raise DataError(f"{where}: columns {first} and {number} have the same name; accepted: each name once")


def _json(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a list, or of lines, which many published files with this ending have."""
    is_list = path.read_bytes().lstrip().startswith(b"[")
    yield from enumerate(read_list(path), start=1) if is_list else read_lines(path)


_READERS = {"": _datasets_folder, ".parquet": _parquet, ".json": _json, ".csv": _csv}
"""By ending; other files hold JSON lines."""
