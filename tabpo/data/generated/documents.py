"""What the generated corpora share: documents from words and mentions, and splits that cannot have a text in common."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabpo.records import Document, Relation, Span

_BUCKETS = {"train": range(8), "dev": range(8, 9), "test": range(9, 10)}
"""The split that a text may be in, by a hash of the text: eight tenths of all texts are train's."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A typed range of words, end excluded."""

    start: int
    end: int
    label: str
    sublabel: str | None


def fresh_documents(
    split: str, count: int, seed: int, draw: Callable[[random.Random, str], Document]
) -> list[Document]:
    """Draw documents until `count` of them are new, belong to this split, and hold each mention's text once."""
    rng = random.Random(seed)
    documents: list[Document] = []
    seen: set[str] = set()
    while len(documents) < count:
        document = draw(rng, f"{split}-{len(documents):05d}")
        text = document.text
        if text in seen or _bucket(text) not in _BUCKETS[split] or not _mentions_stand_once(document):
            continue
        seen.add(text)
        documents.append(document)
    return documents


def annotated_document(
    doc_id: str,
    words: Sequence[str],
    mentions: Sequence[Mention],
    relations: Sequence[tuple[int, int, str]] = (),
    attributes: tuple[tuple[str, str], ...] = (),
) -> Document:
    """The document of one sentence that these words make; relations number the mentions from 0."""
    ends = [len(" ".join(words[: number + 1])) for number in range(len(words))]
    starts = [end - len(word) for end, word in zip(ends, words, strict=True)]
    numbered = sorted(
        (starts[mention.start], ends[mention.end - 1], mention.label, mention.sublabel or "", number)
        for number, mention in enumerate(mentions)
    )
    ids = {item[-1]: position for position, item in enumerate(numbered, start=1)}
    return Document(
        doc_id=doc_id,
        group_id=None,
        text=" ".join(words),
        tokens=tuple(words),
        sentences=((0, len(words)),),
        spans=tuple(
            Span(position, label, mentions[number].sublabel, start, end)
            for position, (start, end, label, _, number) in enumerate(numbered, start=1)
        ),
        relations=tuple(
            Relation(*item) for item in sorted((ids[head], ids[tail], label) for head, tail, label in relations)
        ),
        attributes=attributes,
    )


def _bucket(text: str) -> int:
    return hashlib.sha256(" ".join(text.lower().split()).encode()).digest()[0] % 10


def _mentions_stand_once(document: Document) -> bool:
    padded = f" {document.text} "
    return all(padded.count(f" {document.text[span.start : span.end]} ") == 1 for span in document.spans)
