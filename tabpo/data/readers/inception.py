"""Reader of INCEpTION's exports in UIMA CAS, as JSON or as XMI with its type system, by the package `dkpro-cassis`."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from tabpo.artefacts import files_below
from tabpo.data.jsonl import Place
from tabpo.data.reading import Reading
from tabpo.data.standoff import Annotation, Link, build_document
from tabpo.errors import DataError
from tabpo.records import Document

TYPE_SYSTEM = "TypeSystem.xml"
"""The file beside .xmi files that says what layers they have, as INCEpTION names it in its archives."""

UNREAD = "files not read, as they are neither .json nor .xmi"
OTHER_LAYERS = "annotations of layers without a label, passed over"

LABELS = ("label", "value")
"""Features that hold a label: that of INCEpTION's own layers, and that of DKPro's NamedEntity."""

_SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
_STRUCTURE = ("de.tudarmstadt.ukp.dkpro.core.api.segmentation.", "de.tudarmstadt.ukp.dkpro.core.api.metadata.", "uima.")
_FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, LookupError)
"""What cassis and lxml raise for a file that is no CAS; lxml's XMLSyntaxError is a SyntaxError."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read all .json and .xmi files in a folder and its sub-folders, sorted by name; each is a document.

    An annotation with a feature of `LABELS` is a span. One with the features Governor and Dependent is a relation: the
    governor is its head. The first sub-folder is the group, and sentences are those of DKPro's layer.

    Args:
        path: The folder. .xmi files need `TYPE_SYSTEM` in their folder or in a folder above it, up to this one.
        reading: Its `noticed` counts `UNREAD` files and `OTHER_LAYERS`.

    Raises:
        DataError: A file is no CAS, has no text, or has a relation without a label or between annotations that are no
            spans. Files may be named after patients: the message has the number of the file, sorted by name.
    """
    reading = reading or Reading()
    files = sorted(files_below(path), key=lambda file: (file.name, file))
    exports = [file for file in files if file.suffix.lower() in (".json", ".xmi")]
    others = [file for file in files if file not in exports and file.name != TYPE_SYSTEM]
    reading.noticed.update([UNREAD] * len(others))
    if not exports:
        raise DataError(f"{path}: holds no document; accepted: .json or .xmi files")
    items = (
        (Place(f"{path}, file {number} by name", 1, "_".join(file.stem.split())), file)
        for number, file in enumerate(exports, start=1)
    )
    return reading.each(partial(_document, folder=path, noticed=reading.noticed), items)


def _document(place: Place, file: Path, folder: Path, noticed: Counter[str]) -> Document:
    cas = _load(place, file, folder)
    text = place.string("the text", cas.sofa_string)
    annotations = [item for item in cas.select_all_annotations() if not item.type.name.startswith(_STRUCTURE)]
    relations = [item for item in annotations if _feature(item, "Governor") and _feature(item, "Dependent")]
    spans = [item for item in annotations if item not in relations and _label(item) and hasattr(item, "begin")]
    noticed.update([OTHER_LAYERS] * (len(annotations) - len(relations) - len(spans)))
    names = {id(item): f"T{number}" for number, item in enumerate(spans, start=1)}
    annotations = {
        names[id(item)]: Annotation(
            place, f"the span at {item.begin}", item.begin, item.end, _label(item), None, text[item.begin : item.end]
        )
        for item in spans
    }
    links = []
    for item in relations:
        field = f"the relation at {item.begin}"
        if not _label(item):
            raise place.error(field, f"has no label; accepted: one of the features {', '.join(LABELS)}")
        ends = tuple(names.get(id(_feature(item, end)), "") for end in ("Governor", "Dependent"))
        links.append(Link(place, field, ends, _label(item)))
    parents = file.relative_to(folder).parts[:-1]
    return build_document(
        place,
        text,
        annotations,
        links,
        sentences=_sentences(cas),
        group_id=parents[0] if parents else None,
    )


def _load(place: Place, file: Path, folder: Path) -> Any:
    import cassis  # the import takes half a second, which other formats save

    try:
        if file.suffix.lower() == ".json":
            return cassis.load_cas_from_json(file.open("rb"))
        above = [parent / TYPE_SYSTEM for parent in file.parents if parent.is_relative_to(folder)]
        system = next((candidate for candidate in above if candidate.is_file()), None)
        if system is None:
            raise place.error("the file", f"has no {TYPE_SYSTEM} beside or above it; accepted: that of its export")
        return cassis.load_cas_from_xmi(file.open("rb"), cassis.load_typesystem(system.open("rb")))
    except DataError:
        raise
    except _FAULTS as error:  # their messages may hold text of the document
        raise place.error("the file", f"is no UIMA CAS ({type(error).__name__}); accepted: an export") from error


def _feature(item: Any, name: str) -> Any:
    return item.get(name) if item.type.get_feature(name) else None


def _label(item: Any) -> str | None:
    return next((value for name in LABELS if isinstance(value := _feature(item, name), str) and value.strip()), None)


def _sentences(cas: Any) -> list[tuple[int, int]] | None:
    if not any(kind.name == _SENTENCE for kind in cas.typesystem.get_types()):
        return None
    return sorted((item.begin, item.end) for item in cas.select(_SENTENCE)) or None
