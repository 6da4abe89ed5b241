"""Reader of SciERC (Luan et al., EMNLP 2018) in its processed JSON: entities, relations and coreference clusters.

Repetitions in the files are kept, so that counts agree with the published ones: train has four relations twice, and a
cluster of H05-1117 has a mention twice. Units, from which answers are made, list each relation and mention once.
"""

from collections import Counter
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, read_objects
from tabpo.data.reading import Reading
from tabpo.records import Document, Relation, Span

KEYS = ("doc_key", "sentences", "ner", "relations", "clusters")

_Tokens = tuple[int, int]
"""First and last token of a mention, last included; tokens are counted from the start of the document."""


MISFILED = "relations filed under a sentence that holds neither end"
"""A relation's ends say where it is; the sentence that the file lists it under changes nothing but this count."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents in the order of the file. A text is the tokens joined by one space, and no group is known.

    Args:
        path: The file.
        reading: Its `noticed` counts `MISFILED` relations.

    Raises:
        DataError: The file is not in the published format, a mention lies outside its sentence or has two types, or a
            relation or cluster names something that is not a mention. The message names file, line and field, and what
            is accepted.
    """
    reading = reading or Reading()
    document = partial(_document, noticed=reading.noticed)
    return reading.each(document, read_objects(path, "doc_key", KEYS, of_one=reading.of_one))


def _document(place: Place, row: dict[str, Any], noticed: Counter[str]) -> Document:
    sentences = _sentences(place, row["sentences"])
    for number, sentence in enumerate(sentences):
        if any(not token.strip() for token in sentence):
            raise place.error(f"sentences[{number}]", "has a token of white space; accepted: tokens without")
    return document_of(place, sentences, row, noticed)


def document_of(place: Place, value: Any, row: dict[str, Any], noticed: Counter[str]) -> Document:
    """Make a document from sentences of tokens, and from `ner`, `relations` and `clusters` at the numbers of tokens.

    Tokens of white space count among the numbers and stay in the text, but are no tokens of the document.
    """
    sentences = _sentences(place, value)
    tokens = tuple(token for sentence in sentences for token in sentence)
    ends = list(accumulate(len(sentence) for sentence in sentences))
    ranges = tuple(zip([0, *ends[:-1]], ends, strict=True))
    last_characters = list(accumulate(tokens, lambda end, token: end + 1 + len(token), initial=-1))
    spans = _spans(place, row["ner"], ranges, last_characters)
    ids = {mention: span.id for mention, span in spans.items()}
    return Document(
        doc_id=place.doc_id,
        group_id=None,
        text=" ".join(tokens),
        tokens=tuple(token for token in tokens if token.strip()),
        sentences=_without_blanks(tokens, ranges),
        spans=tuple(spans.values()),
        relations=_relations(place, row["relations"], ranges, ids, noticed),
        clusters=_clusters(place, row["clusters"], ids),
    )


def _sentences(place: Place, value: Any) -> list[list[str]]:
    sentences = place.items("sentences", value)
    if not sentences:
        raise place.error("sentences", "is empty; accepted: at least one sentence")
    for number, sentence in enumerate(sentences):
        field = f"sentences[{number}]"
        if not place.items(field, sentence):
            raise place.error(field, "is empty; accepted: at least one token")
        for position, token in enumerate(sentence):
            if not isinstance(token, str) or len(token.split()) > 1 or (token.strip() and token.split() != [token]):
                raise place.error(f"{field}[{position}]", "is no token; accepted: a string without white space")
    return sentences


def _without_blanks(tokens: tuple[str, ...], ranges: tuple[_Tokens, ...]) -> tuple[_Tokens, ...]:
    """Return the sentences as ranges of the tokens that are more than white space."""
    before = list(accumulate((bool(token.strip()) for token in tokens), initial=0))
    counted = ((before[start], before[end]) for start, end in ranges)
    return tuple((start, end) for start, end in counted if start < end)


def _spans(place: Place, value: Any, ranges: tuple[_Tokens, ...], last_characters: list[int]) -> dict[_Tokens, Span]:
    labels: dict[_Tokens, str] = {}
    for number, mentions in enumerate(place.items("ner", value, length=len(ranges))):
        for position, item in enumerate(place.items(f"ner[{number}]", mentions)):
            field = f"ner[{number}][{position}]"
            start, end, label = place.items(field, item, length=3)
            place.integer(f"{field} start", start, *ranges[number])
            place.integer(f"{field} end", end, start, ranges[number][1])
            if (start, end) in labels:
                raise place.error(field, f"tokens {start}-{end} are listed twice; accepted: one type a mention")
            labels[start, end] = place.string(f"{field} type", label)
    return {
        (start, end): Span(number, labels[start, end], None, last_characters[start] + 1, last_characters[end + 1])
        for number, (start, end) in enumerate(sorted(labels), start=1)
    }


def _relations(
    place: Place, value: Any, ranges: tuple[_Tokens, ...], ids: dict[_Tokens, int], noticed: Counter[str]
) -> tuple[Relation, ...]:
    triples = []
    for number, relations in enumerate(place.items("relations", value, length=len(ranges))):
        for position, item in enumerate(place.items(f"relations[{number}]", relations)):
            field = f"relations[{number}][{position}]"
            *ends, label = place.items(field, item, length=5)
            head, tail = _mention(place, field, ends[:2], ids), _mention(place, field, ends[2:], ids)
            if head == tail:
                raise place.error(field, "relates a mention to itself; accepted: two mentions")
            if not any(ranges[number][0] <= first < ranges[number][1] for first in (ends[0], ends[2])):
                noticed[MISFILED] += 1
            triples.append((head, tail, place.string(f"{field} type", label)))
    return tuple(Relation(*triple) for triple in sorted(triples))


def _clusters(place: Place, value: Any, ids: dict[_Tokens, int]) -> tuple[tuple[int, ...], ...]:
    clusters = [
        tuple(
            sorted(
                _mention(place, f"clusters[{number}][{position}]", item, ids)
                for position, item in enumerate(place.items(f"clusters[{number}]", cluster))
            )
        )
        for number, cluster in enumerate(place.items("clusters", value))
    ]
    if () in clusters:
        raise place.error(f"clusters[{clusters.index(())}]", "is empty; accepted: at least one mention")
    return tuple(sorted(clusters))


def _mention(place: Place, field: str, value: Any, ids: dict[_Tokens, int]) -> int:
    start, end = place.items(field, value, length=2)
    if not (type(start) is type(end) is int and (start, end) in ids):
        raise place.error(field, f"is no mention; accepted: first and last token of one of the {len(ids)} in ner")
    return ids[start, end]
