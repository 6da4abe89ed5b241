"""The unit that one prompt asks about: a whole document or one of its sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabpo.errors import DataError
from tabpo.records import Document, Relation, Span


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of a document with its annotations, whose spans are numbered from 1 by (start, end).

    Attributes:
        prompt_id: `{doc_id}` for a document, `{doc_id}#{sentence}` for a sentence (counted from 0).
        doc_id: Id of the document.
        start: First character of the unit in the document.
        text: The unit's text; `document.text[start : start + len(text)]`.
        token_offsets: (start, end) of each token, characters of the document, end excluded.
        spans: The spans inside the unit; their offsets are characters of the document.
        relations: The relations with both ends inside, without duplicates, sorted by (head, tail, label), in the unit's
            ids.
        clusters: Coreference clusters of at least two mentions in the unit's ids, sorted; None for a sentence.
    """

    prompt_id: str
    doc_id: str
    start: int
    text: str
    token_offsets: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    relations: tuple[Relation, ...]
    clusters: tuple[tuple[int, ...], ...] | None


def token_offsets(document: Document) -> tuple[tuple[int, int], ...]:
    """Return the (start, end) of each token in the text, end excluded; readers make texts that contain their tokens."""
    offsets, position = [], 0
    for token in document.tokens:
        start = document.text.index(token, position)
        position = start + len(token)
        offsets.append((start, position))
    return tuple(offsets)


def document_units(document: Document, unit: str) -> list[Unit]:
    """Return all units of a document; `unit` is "sentence" or "document"."""
    offsets = token_offsets(document)
    if unit == "document":
        return [_unit(document, document.doc_id, offsets, 0, len(document.text), whole=True)]
    units = []
    for number, (first, end) in enumerate(document.sentences):
        tokens = offsets[first:end]
        units.append(_unit(document, f"{document.doc_id}#{number}", tokens, tokens[0][0], tokens[-1][1], whole=False))
    return units


def not_asked_by_sentence(document: Document) -> dict[str, int]:
    """Count what prompts about single sentences leave out: relations across sentences, and all clusters.

    Repeated relations count once, and a cluster has at least two different mentions, as in the unit of the document.
    """
    whole, asked = document_units(document, "document")[0], document_units(document, "sentence")
    relations = len(whole.relations) - sum(len(unit.relations) for unit in asked)
    return {"relations": relations, "clusters": len(whole.clusters)}


def units_of_prompts(documents: Sequence[Document], prompt_ids: Sequence[str]) -> list[Unit]:
    """Return the unit of each prompt id, in that order.

    Raises:
        DataError: A prompt id names no unit of these documents; the message has the number of the prompt.
    """
    unit = "sentence" if any("#" in prompt_id for prompt_id in prompt_ids) else "document"
    units = {item.prompt_id: item for document in documents for item in document_units(document, unit)}
    missing = [number for number, prompt_id in enumerate(prompt_ids, start=1) if prompt_id not in units]
    if missing:
        raise DataError(
            f"prompt {missing[0]} is of none of the {len(documents)} documents ({len(missing)} such prompts)"
        )
    return [units[prompt_id] for prompt_id in prompt_ids]


def _unit(
    document: Document, prompt_id: str, offsets: tuple[tuple[int, int], ...], start: int, end: int, *, whole: bool
) -> Unit:
    inside = [span for span in document.spans if start <= span.start and span.end <= end]
    inside.sort(key=lambda span: (span.start, span.end, span.label, span.sublabel or ""))
    number = {span.id: position for position, span in enumerate(inside, start=1)}
    relations = {
        (number[relation.head], number[relation.tail], relation.label)
        for relation in document.relations
        if relation.head in number and relation.tail in number
    }
    clusters = (tuple(sorted({number[mention] for mention in cluster})) for cluster in document.clusters if whole)
    linked = sorted(cluster for cluster in clusters if len(cluster) > 1)  # SciERC lists a lone mention twice
    return Unit(
        prompt_id=prompt_id,
        doc_id=document.doc_id,
        start=start,
        text=document.text[start:end],
        token_offsets=offsets,
        spans=tuple(replace(span, id=number[span.id]) for span in inside),
        relations=tuple(Relation(*relation) for relation in sorted(relations)),
        clusters=tuple(linked) if whole else None,
    )
