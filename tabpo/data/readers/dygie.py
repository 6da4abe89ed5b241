"""Reader of DyGIE++'s JSON lines: SciERC's keys, of which all but three may be missing, and further ones."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier, read_lines
from tabpo.data.readers.scierc import document_of
from tabpo.data.reading import Reading
from tabpo.records import Document

KEYS = ("doc_key", "sentences", "ner", "relations", "clusters")

PASSED_OVER = "further keys passed over"
"""Keys as `dataset`, `weight` and `events`, and model output as `predicted_ner`."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents in the order of the file. A text is the tokens joined by one space, and no group is known.

    A document without `relations` or `clusters` has none; `doc_key`, `sentences` and `ner` are needed.

    Args:
        path: The file.
        reading: Its `noticed` counts the keys that are `PASSED_OVER`, and misfiled relations as SciERC's reader does.

    Raises:
        DataError: A line is not in this form. The message names file, line and field, and what is accepted.
    """
    reading = reading or Reading()
    return reading.each(partial(_document, reading=reading), _rows(path, reading))


def _rows(path: Path, reading: Reading) -> Iterator[tuple[Place, dict[str, Any]]]:
    seen: dict[str, int] = {}
    for line, row in read_lines(path, reading.of_one):
        with reading.of_one():
            place = Place(path, line, identifier(f"{path}, line {line}", row, "doc_key"))
            check_unseen(place, "doc_key", seen)
            yield place, row


def _document(place: Place, row: dict[str, Any], reading: Reading) -> Document:
    further = [key for key in row if key not in KEYS]
    place.fields("the line", {key: row[key] for key in row if key in KEYS}, KEYS[:3], KEYS[3:])
    reading.noticed.update([PASSED_OVER] * len(further))
    sentences = place.items("sentences", row["sentences"])
    whole = {"relations": [[]] * len(sentences), "clusters": []} | row
    return document_of(place, sentences, whole, reading.noticed)
