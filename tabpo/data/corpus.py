"""The documents of a data set, from the user's, published or generated texts, with labels that the ontology has."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.data.jsonl import Place
from tabpo.data.reading import Reading
from tabpo.data.spellings import conform
from tabpo.data.splitting import carve_dev
from tabpo.data.validation import check_labels, label_faults, without_shared_texts
from tabpo.errors import DataError
from tabpo.records import SPLITS, Document

SHARED = "documents left out, since a later split has their text"


@dataclass(frozen=True)
class Corpus:
    """Documents, and what the card says of their files; the keys of each mapping are splits or files.

    Attributes:
        documents: The documents of train, dev and test, in this order.
        variants: How often each spelling was corrected.
        noticed: How often something was passed over, or stood in an unusual place.
    """

    documents: dict[str, list[Document]]
    variants: dict[str, dict[str, int]]
    noticed: dict[str, dict[str, int]]


def read_corpus(
    settings: Mapping[str, Any], sources: Mapping[str, Path], ontology: Ontology, faults: list[DataError] | None = None
) -> Corpus:
    """Read or generate all splits, correct spellings, check labels, and take dev from train if there is no dev.

    Args:
        settings: What `study.jobs.document_settings` returns: source, generate, private, dev_share, shared_texts.
        sources: The file or folder of each split; empty for generated texts.
        ontology: It defines the labels.
        faults: None if the first fault is raised. Otherwise a list, to which all faults are added; documents that
            cannot be read are left out.

    Raises:
        DataError: The first fault, if `faults` is None.
    """
    readings = {split: Reading(ontology, faults=faults) for split in sources or SPLITS}
    documents, variants = {}, {}
    for split, reading in readings.items():
        documents[split] = _split(settings, split, sources.get(split), reading)
        documents[split], variants[split] = conform(documents[split], ontology)
        for fault in label_faults(documents[split], ontology, reading.places, private=settings["private"]):
            with reading.of_one():
                raise fault
    if "dev" not in documents:
        with readings["train"].of_one():
            documents["train"], documents["dev"] = carve_dev(documents["train"], settings["dev_share"])
    noticed = {split: dict(reading.noticed) for split, reading in readings.items()}
    documents = {split: documents.get(split, []) for split in SPLITS}
    if settings.get("shared_texts") == "leave_out":
        for split, kept in without_shared_texts(documents).items():
            if len(kept) < len(documents[split]):
                noticed.setdefault(split, {})[SHARED] = len(documents[split]) - len(kept)
            documents[split] = kept
    return Corpus(documents, variants, noticed)


def read_other_test(
    settings: Mapping[str, Any], path: Path, ontology: Ontology
) -> tuple[list[Document], dict[str, int], dict[str, int]]:
    """Read a further test split, correct spellings and check labels.

    Returns:
        The documents, how often each spelling was corrected, and what the reader noticed.

    Raises:
        DataError: The first fault.
    """
    reading = Reading(ontology)
    documents, variants = conform(_split(settings, "test", path, reading), ontology)
    check_labels(documents, ontology, reading.places, private=settings["private"])
    return documents, variants, dict(reading.noticed)


def _split(settings: Mapping[str, Any], split: str, path: Path | None, reading: Reading) -> list[Document]:
    source, generate = settings["source"], settings["generate"]
    if generate is not None:
        generator = importlib.import_module(f"tabpo.data.generated.{source}")
        documents = generator.generate(split, generate[split], generate["seeds"][split])
        reading.places += [
            Place(f"{source} {split}", number, item.doc_id) for number, item in enumerate(documents, start=1)
        ]
        return documents
    with reading.of_one():
        return read_source(source, path, reading)
    return []


def read_source(source: str, path: Path, reading: Reading) -> list[Document]:
    """Read a file or folder with the reader of its source."""
    return importlib.import_module(f"tabpo.data.readers.{source}").read_documents(path, reading)
