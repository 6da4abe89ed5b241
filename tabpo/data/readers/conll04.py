"""Reader of CoNLL04 (Roth and Yih, CoNLL 2004), sentences of news, in the split of SpERT (arXiv 1909.07755)."""

from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, read_list
from tabpo.data.reading import Reading
from tabpo.records import Document, Relation, Span

KEYS = ("tokens", "tags", "relations", "orig_id")


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read one document per sentence, in the order of the file. A text is the tokens joined by one space.

    Entities are stated by BILOU tags, and relations by the numbers of entities. A document's id is the file's name
    and the number of the sentence.

    Raises:
        DataError: The file is not in this form. The message names file, number of the sentence and field, and what is
            accepted.
    """
    reading = reading or Reading()
    rows = enumerate(read_list(path), start=1)
    return reading.each(_document, ((Place(path, number, f"{path.stem}-{number}"), row) for number, row in rows))


def _document(place: Place, row: dict[str, Any]) -> Document:
    place.fields("the sentence", row, KEYS)
    tokens = tuple(place.string("tokens", token) for token in place.items("tokens", row["tokens"]))
    ends = [sum(len(token) + 1 for token in tokens[:number]) - 1 for number in range(1, len(tokens) + 1)]
    entities = _entities(place, place.items("tags", row["tags"], length=len(tokens)))
    ids = {number: position for position, number in enumerate(range(len(entities)), start=1)}
    return Document(
        doc_id=place.doc_id,
        group_id=None,
        text=" ".join(tokens),
        tokens=tokens,
        sentences=((0, len(tokens)),),
        spans=tuple(
            Span(number, label, None, ends[first] - len(tokens[first]), ends[last])
            for number, (first, last, label) in enumerate(entities, start=1)
        ),
        relations=_relations(place, row["relations"], ids),
    )


def _entities(place: Place, tags: list[Any]) -> list[tuple[int, int, str]]:
    """Return first token, last token and type of each entity; tags are O, U-, or B-, I- and L- of one type."""
    entities, begun = [], None
    for number, tag in enumerate(tags):
        kind, _, label = place.string(f"tags[{number}]", tag).partition("-")
        inside = begun is not None and begun[1] == label
        if kind == "O" and begun is None:
            continue
        if kind == "U" and begun is None:
            entities.append((number, number, label))
        elif kind == "B" and begun is None:
            begun = (number, label)
        elif kind == "L" and inside:
            entities.append((begun[0], number, label))
            begun = None
        elif not (kind == "I" and inside):
            raise place.error(f"tags[{number}]", "does not follow BILOU; accepted: O, U-type, or B-, I-, L- of a type")
    if begun is not None:
        raise place.error("tags", "end inside an entity; accepted: L- at its end")
    return entities


def _relations(place: Place, value: Any, ids: dict[int, int]) -> tuple[Relation, ...]:
    relations = set()
    for position, item in enumerate(place.items("relations", value)):
        field = f"relations[{position}]"
        place.fields(field, item, ("head", "tail", "type"))
        head, tail = (place.integer(f"{field}.{end}", item[end], 0, len(ids)) for end in ("head", "tail"))
        if head == tail:
            raise place.error(field, "relates an entity to itself; accepted: two entities")
        relations.add((ids[head], ids[tail], place.string(f"{field}.type", item["type"])))
    return tuple(Relation(*relation) for relation in sorted(relations))
