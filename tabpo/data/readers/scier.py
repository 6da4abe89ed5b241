"""Reader of SciER (Zhang et al., EMNLP 2024): methods, tasks and data sets of papers' full texts, with relations.

Its published files have two forms. `PLM` has a document a line, with mentions at tokens, nearly as SciERC. `LLM` has a
sentence a line, with mentions and relations as texts, in the order of `PLM`. A mention then stands at the first place
after the mention before it, and a relation joins the nearest mentions with its texts. On dev and test together, 99.4 %
of the mentions and 97.7 % of the relations get the places that `PLM` states.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from tabpo.data.jsonl import Place, check_unseen, identifier, read_lines
from tabpo.data.readers.scierc import document_of
from tabpo.data.reading import Reading
from tabpo.records import Document

KEYS = ("doc_id", "doc_tokens", "sentences", "ner", "relations")
SENTENCE_KEYS = ("doc_id", "sentence", "ner", "rel", "rel_plus")

PLACED = "mentions stated as texts that their sentence has more often than it has such mentions"
NEAREST = "relations stated as texts that several pairs of mentions have"
"""What is counted for the form `LLM`: where a place is not certain."""

_Row = tuple[int, dict[str, Any]]
"""The number of a line, and its object."""


def read_documents(path: Path, reading: Reading | None = None) -> list[Document]:
    """Read the documents in the order of the file, in either form. A text is the tokens joined by one space.

    Tokens of white space, which some documents have, stay in the text and are no tokens of the document.

    Args:
        path: The file.
        reading: Its `noticed` counts uncertain places in the form `LLM`, as `PLACED` and `NEAREST`.

    Raises:
        DataError: The file is in neither form, a mention lies outside its sentence or has two types, a mention or an
            end of a relation is not in its sentence, or a relation names something that is not a mention. The message
            names file, line and field, and what is accepted.
    """
    reading = reading or Reading()
    return reading.each(partial(_document, noticed=reading.noticed), _documents(path, reading))


def _documents(path: Path, reading: Reading) -> Iterator[tuple[Place, list[_Row]]]:
    """Yield the lines of each document: one, or all successive lines with its id, which are its sentences."""
    seen: dict[str, int] = {}
    rows = read_lines(path, reading.of_one)
    for doc_id, group in groupby(rows, key=lambda item: _name(f"{path}, line {item[0]}", item[1])):
        lines = list(group)
        with reading.of_one():
            place = Place(path, lines[0][0], doc_id)
            check_unseen(place, "doc_id", seen)
            yield place, lines


def _name(where: str, row: dict[str, Any]) -> str:
    """Return the id of a line's document; a few published ids have a space, which becomes an underscore."""
    name = row.get("doc_id")
    return identifier(where, row | {"doc_id": name.replace(" ", "_")} if isinstance(name, str) else row, "doc_id")


def _document(place: Place, rows: list[_Row], noticed: Counter[str]) -> Document:
    if "sentence" not in rows[0][1]:
        row = rows[0][1]
        place.fields("the line", row, KEYS)
        sentences = place.items("sentences", row["sentences"])
        return document_of(
            place, sentences, {"ner": row["ner"], "relations": row["relations"], "clusters": []}, noticed
        )
    sentences, mentions, relations = [], [], []
    for line, row in rows:
        where = Place(place.path, line, place.doc_id)
        where.fields("the line", row, SENTENCE_KEYS)
        tokens = where.string("sentence", row["sentence"]).split(" ")
        first = sum(map(len, sentences))
        placed = _mentions(where, row["ner"], tokens, noticed)
        mentions.append([[first + start, first + end, label] for _, (start, end), label in placed])
        relations.append(
            [[first + end for end in item[:4]] + item[4:] for item in _relations(where, row["rel"], placed, noticed)]
        )
        sentences.append(tokens)
    return document_of(place, sentences, {"ner": mentions, "relations": relations, "clusters": []}, noticed)


_Mention = tuple[str, tuple[int, int], str]
"""Text, first and last token in the sentence (last included), and type."""


def _mentions(place: Place, value: Any, tokens: list[str], noticed: Counter[str]) -> list[_Mention]:
    """Place each mention after the one before it; of two with one first token the shorter comes first."""
    ends = list(accumulate((len(token) + 1 for token in tokens), initial=0))
    starts = {end: number for number, end in enumerate(ends)}
    sentence = " ".join(tokens)
    mentions: list[_Mention] = []
    texts = Counter()
    for position, item in enumerate(place.items("ner", value)):
        field = f"ner[{position}]"
        text, label = (place.string(field, part) for part in place.items(field, item, length=2))
        places = _places(text, sentence, starts)
        last = mentions[-1][1] if mentions else (-1, -1)
        later = [span for span in places if span > last]
        if not later:
            raise place.error(field, "is not in the sentence after the mention before it; accepted: mentions in order")
        mentions.append((text, later[0], label))
        texts[text] += 1
    noticed.update([PLACED] * sum(len(_places(text, sentence, starts)) > texts[text] for text, _, _ in mentions))
    return mentions


def _places(text: str, sentence: str, starts: dict[int, int]) -> list[tuple[int, int]]:
    """Return first and last token of each place of a text that begins and ends with a token."""
    places, position = [], sentence.find(text)
    while position >= 0:
        first, after = starts.get(position), starts.get(position + len(text) + 1)
        if first is not None and after is not None:
            places.append((first, after - 1))
        position = sentence.find(text, position + 1)
    return places


def _relations(place: Place, value: Any, mentions: list[_Mention], noticed: Counter[str]) -> list[list[Any]]:
    """Give each relation the nearest mentions with its texts that no equal relation has, or those of a repeated one."""
    relations: list[list[Any]] = []
    for position, item in enumerate(place.items("rel", value)):
        field = f"rel[{position}]"
        head, label, tail = (place.string(field, part) for part in place.items(field, item, length=3))
        pairs = [
            [*one, *other, label]
            for text, one, _ in mentions
            if text == head
            for another, other, _ in mentions
            if another == tail and one != other
        ]
        pairs.sort(key=lambda pair: abs(pair[0] - pair[2]))
        if not pairs:
            raise place.error(field, "joins no two mentions; accepted: the texts of two mentions")
        noticed.update([NEAREST] * (len(pairs) > 1))
        relations.append(next((pair for pair in pairs if pair not in relations), pairs[0]))
    return relations
