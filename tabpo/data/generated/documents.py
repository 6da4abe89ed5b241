"""Code of both generated corpora: documents from words and mentions, and splits that cannot have a text in common."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabpo.records import Document, Relation, Span

_BUCKETS = {"train": range(8), "dev": range(8, 9), "test": range(9, 10)}
"""The hash of a text, a number from 0 to 9, decides its split: eight tenths of all possible texts belong to train."""


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
    """Draw documents until `count` of them are usable.

    A document is usable if its text is new, belongs to this split by its hash, and contains the words of each mention
    once.

    Args:
        split: "train", "dev" or "test".
        count: How many documents to return.
        seed: Seed of the random numbers.
        draw: Makes a document from random numbers and a document id.
    """
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
    """Make a document of one sentence.

    Args:
        doc_id: Id of the document.
        words: The tokens; the text is these joined by one space.
        mentions: Typed ranges of words.
        relations: (head, tail, label), where head and tail are positions in `mentions`.
        attributes: Further facts as (name, value).
    """
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
