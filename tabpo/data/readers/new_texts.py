"""Reader of new texts without annotations: a folder of .txt files, or JSON lines with ids and texts."""

import re
from pathlib import Path

from tabpo.artefacts import files_below
from tabpo.data.jsonl import Place, check_mark, read_objects
from tabpo.data.readers import custom
from tabpo.data.reading import Reading
from tabpo.data.standoff import build_document
from tabpo.errors import DataError
from tabpo.records import Document

UNREAD = "files not read, as they do not end in .txt"


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents of a .jsonl file in its order, or the .txt files of a folder and its sub-folders by name.

    JSON lines have the keys of `custom` without annotations. Of a folder, a file's name is the document's id, each
    line is a sentence, and the first sub-folder is the group, as in brat folders.

    Args:
        path: The file or folder.
        reading: Its `noticed` counts `UNREAD` files.

    Raises:
        DataError: The input does not have the format, or two documents have one id. The message names the file, and the
            line or the number of the file by name; it contains no text and no name of a document.
    """
    reading = reading or Reading()
    if not path.is_dir():
        optional = [key for key in custom.OPTIONAL if key not in ("relations", "clusters")]
        rows = read_objects(path, "id", ("id", "text"), optional, reading.of_one)
        return reading.each(custom.document_of, ((place, row | {"spans": []}) for place, row in rows))
    files = sorted(files_below(path), key=lambda file: (file.name, file))
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    reading.noticed.update([UNREAD] * (len(files) - len(texts)))
    if not texts:
        raise DataError(f"{path}: holds no .txt file; accepted: .txt files, or a .jsonl file")
    names = [file.stem for file in texts]
    places = (
        (Place(f"{path}, .txt file {number} by name", 1, file.stem), (file.relative_to(path), file.read_bytes()))
        for number, file in enumerate(texts, start=1)
    )
    repeated = [number for number, name in enumerate(names, start=1) if name in names[: number - 1]]
    if repeated:
        raise DataError(f"{path}, .txt file {repeated[0]} by name: has the name of another; accepted: different names")
    return reading.each(_document, places)


def _document(place: Place, content: tuple[Path, bytes]) -> Document:
    name, raw = content
    if not re.fullmatch(r"[^\s#/]+", place.doc_id):
        raise place.error("the name", "is no identifier; accepted: a file name without white space and #")
    check_mark(place.path, raw)
    try:
        text = place.string("the text", raw.decode())
    except UnicodeDecodeError as error:
        raise place.error("the text", f"byte {error.start + 1} is no UTF-8; accepted: UTF-8") from error
    parents = name.parts[:-1]
    sentences = [match.span() for match in re.finditer(r"[^\n]+", text)]
    return build_document(place, text, {}, sentences=sentences, group_id=parents[0] if parents else None)
