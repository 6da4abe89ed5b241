"""All faults of a data set before any of its jobs runs: of its files, labels, splits and prompts."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.data.corpus import Corpus, read_corpus
from tabpo.data.prompts import Style, build_prompts
from tabpo.data.readers.preferences import as_documents, read_possible, read_preferences, with_dev
from tabpo.data.reading import Reading
from tabpo.data.second_annotator import read_second
from tabpo.data.splitting import halve_dev
from tabpo.data.validation import check_annotated, check_asked, split_faults
from tabpo.errors import DataError
from tabpo.records import Preference, Prompt

SHOWN = 20
"""How many faults of a kind are listed; the others are counted."""

_VARYING = re.compile(r"\d+|'[^']*'")
"""What differs between two faults of one kind: numbers, and names in quotes."""


def find_faults(
    settings: Mapping[str, Any],
    sources: Mapping[str, Path],
    second: Mapping[str, Path],
    ontology: Ontology,
    style: Style,
) -> tuple[Corpus, dict[str, list[Prompt]], list[DataError]]:
    """Do all that the rules `documents` and `prompts` do, and go on after a fault.

    Args:
        settings: As for `read_corpus`.
        sources: As for `read_corpus`.
        second: For each split, a second annotator's file or folder; `settings` then has the keys of `read_second` too.
        ontology: It defines the labels.
        style: The form of the prompts.

    Returns:
        The documents that could be read, their prompts, and all faults; of a faulty document its first fault, and all
        its faulty labels.
    """
    faults: list[DataError] = []
    corpus = read_corpus(settings, sources, ontology, faults)
    documents = corpus.documents
    faults += split_faults(documents)
    with _kept(faults):
        check_annotated(documents)
    with _kept(faults):
        check_asked(documents, style.unit)
    with _kept(faults):
        halve_dev(documents["dev"])
    for split, path in second.items():
        with _kept(faults):
            read_second([path], documents[split], ontology, settings)
    prompts: dict[str, list[Prompt]] = {split: [] for split in documents}
    for split, items in documents.items():
        with _kept(faults, f"{split}, "):
            prompts[split] = build_prompts(items, ontology, style, documents["train"])
    return corpus, prompts, faults


@contextmanager
def _kept(faults: list[DataError], where: str = "") -> Iterator[None]:
    try:
        yield
    except DataError as error:
        faults.append(DataError(f"{where}{error}"))


def find_preference_faults(
    settings: Mapping[str, Any], sources: Mapping[str, Path]
) -> tuple[dict[str, list[Preference]], dict[str, Counter[str]], list[DataError]]:
    """Do all that the rule `preferences` does, and go on after a fault.

    Returns:
        The rows of each split, what was noticed in its file, and all faults; rows that the study leaves out are none.
    """
    faults: list[DataError] = []
    noticed = {split: Counter() for split in sources}
    rows: dict[str, list[Preference]] = {split: [] for split in sources}
    for split, path in sources.items():
        with _kept(faults):
            if settings["faulty_rows"] == "leave_out":
                rows[split] = read_possible(path, settings["columns"], noticed[split])
            else:
                rows[split] = read_preferences(
                    path, settings["columns"], Reading(noticed=noticed[split], faults=faults)
                )
    with _kept(faults):
        rows = with_dev(rows, settings["dev_share"])
    faults += split_faults({split: as_documents(items) for split, items in rows.items()})
    return rows, noticed, faults


def list_faults(faults: Sequence[DataError]) -> list[str]:
    """Return the messages kind by kind, the first `SHOWN` of each, and how many more there are of a kind.

    Two faults are of one kind if their messages differ in numbers and names in quotes alone.
    """
    by_kind: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        by_kind[_VARYING.sub("", str(fault))].append(str(fault))
    lines = []
    for messages in by_kind.values():
        lines += messages[:SHOWN]
        if len(messages) > SHOWN:
            lines.append(f"... and {len(messages) - SHOWN} more of this kind")
    return lines
