"""From generated text to offsets: where the spans of an answer lie in their unit, and what is wrong with each item."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabpo.data.answers import Answer, AnswerSpan, Parsed, parse
from tabpo.data.ontology import Ontology
from tabpo.data.repairs import repair
from tabpo.data.units import Unit
from tabpo.errors import DataError
from tabpo.records import Completion, PredictedRelation, PredictedSpan, Prediction

ITEM_CLASSES = (
    "unknown_label",
    "invalid_pair",
    "empty_span",
    "span_not_in_text",
    "dangling_relation",
    "self_relation",
    "duplicate",
    "normalised_span",
    "ok",
)

_EXACT, _LEVELLED, _FOLDED = range(3)
_LEVEL = {
    **{"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"},
    **dict.fromkeys(("``", "''", "“", "”", "„", "«", "»"), '"'),
    **dict.fromkeys(("`", "´", "‘", "’"), "'"),
}
_PIECE = re.compile("|".join(map(re.escape, _LEVEL)) + r"|\S")


def read_completions(
    completions: Sequence[Completion], units: Sequence[Unit], ontology: Ontology, source: str
) -> list[Prediction]:
    """Parse and ground what a model generated, one prediction per unit, in order; `source` is named in errors.

    Raises:
        DataError: The prompt ids of the completions are not those of the units, in the same order.
    """
    asked, given = [unit.prompt_id for unit in units], [item.prompt_id for item in completions]
    if asked != given:
        missing, unknown = sorted(set(asked) - set(given)), sorted(set(given) - set(asked))
        raise DataError(
            f"{source}: {len(given)} completions do not answer the {len(asked)} prompts one by one, in order;"
            f" without completion: {missing[:3]}, without prompt: {unknown[:3]}"
        )
    return [read_answer(item.completion, unit, ontology) for item, unit in zip(completions, units, strict=True)]


def read_answer(text: str, unit: Unit, ontology: Ontology) -> Prediction:
    """Parse and ground one answer to a unit; an unreadable one has its class and no items."""
    return _prediction(parse(text, ontology.answer, clusters=_has_clusters(unit, ontology)), unit, ontology)


def read_repaired(text: str, unit: Unit, ontology: Ontology) -> tuple[str, Prediction]:
    """The same after `repair`, and what it took."""
    done, parsed = repair(text, ontology.answer, clusters=_has_clusters(unit, ontology))
    return done, _prediction(parsed, unit, ontology)


def _has_clusters(unit: Unit, ontology: Ontology) -> bool:
    return ontology.answer == "entities" and unit.clusters is not None


def _prediction(parsed: Parsed, unit: Unit, ontology: Ontology) -> Prediction:
    spans, relations, groups = ground(parsed.answer, unit, ontology)
    return Prediction(unit.prompt_id, parsed.answer_class, spans, relations, groups)


def ground(
    answer: Answer, unit: Unit, ontology: Ontology
) -> tuple[tuple[PredictedSpan, ...], tuple[PredictedRelation, ...], tuple[tuple[int, ...], ...]]:
    """Give each item of an answer its place in the document and its class.

    An occurrence of a span is a sequence of whole tokens ("entities"), or characters ("results", whose spans may begin
    and end inside a token): there, occurrences that cut no word come before those that do. In answer order each item
    takes the leftmost occurrence that is free; taken is an occurrence for all ("entities") or for the same code and
    sub-code ("results"). Items that occur nowhere verbatim are then looked up with brackets, quotes and white space
    levelled, and the rest with case folded too; both become `normalised_span`, which is a flag and no fault: they have
    a place and may be right.

    An item whose occurrences are all taken is a `duplicate` and stands for the leftmost, so that relations may still
    refer to it. Every item that is found has offsets, whatever its class. An unknown sub-code is an `unknown_label`,
    one that belongs to other codes an `invalid_pair`. A relation is dangling if an end names no span of the answer or
    one without a place, a self-relation if both ends lie in the same place, and a duplicate if an earlier `ok` one
    has the same places, in the same order, and label. Clusters are returned as the answer has them; the module
    `clusters` tells their classes.
    """
    placed = _place(answer.spans, unit, by_token=ontology.answer == "entities")
    sublabels = {name for label in ontology.labels.values() for name in label.sublabels}
    spans = tuple(_predicted(span, placed.get(span.id), ontology, sublabels) for span in answer.spans)
    places = {span.id: (span.start, span.end) for span in spans if span.start is not None}
    return spans, _relations(answer, places, ontology), answer.clusters or ()


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    repeated: bool
    normalised: bool


def _place(spans: Sequence[AnswerSpan], unit: Unit, *, by_token: bool) -> dict[int, _Place]:
    """The place of each span that is found, by id."""
    finder = _Finder(unit, by_token=by_token)
    placed: dict[int, _Place] = {}
    taken: set[tuple] = set()
    free: dict[tuple, Iterator[tuple[int, int]]] = {}  # occurrences not looked at yet: taken ones never become free
    for reading in (_EXACT, _LEVELLED, _FOLDED):
        for span in spans:
            if span.id in placed or not span.text.strip():
                continue
            occurrences = finder.occurrences(span.text, reading)
            if not occurrences:
                continue
            owner = () if by_token else (span.label, span.sublabel)
            left = free.setdefault((owner, reading, span.text), iter(occurrences))
            found = next((place for place in left if (owner, place) not in taken), None)
            start, end = found or occurrences[0]
            taken.add((owner, (start, end)))
            placed[span.id] = _Place(unit.start + start, unit.start + end, found is None, reading != _EXACT)
    return placed


def _predicted(span: AnswerSpan, place: _Place | None, ontology: Ontology, sublabels: set[str]) -> PredictedSpan:
    start, end = (place.start, place.end) if place else (None, None)
    item_class = _span_class(span, place, ontology, sublabels)
    return PredictedSpan(span.id, span.label, span.sublabel, span.text, start, end, item_class)


def _span_class(span: AnswerSpan, place: _Place | None, ontology: Ontology, sublabels: set[str]) -> str:
    known = span.sublabel is None or span.sublabel in sublabels
    if span.label not in ontology.labels or not known:
        return "unknown_label"
    if not ontology.valid(span.label, span.sublabel):
        return "invalid_pair"
    if not span.text.strip():
        return "empty_span"
    if place is None:
        return "span_not_in_text"
    if place.repeated:
        return "duplicate"
    return "normalised_span" if place.normalised else "ok"


def _relations(answer: Answer, places: dict[int, tuple[int, int]], ontology: Ontology) -> tuple[PredictedRelation, ...]:
    relations, seen = [], set()
    for relation in answer.relations:
        head, tail = places.get(relation.head), places.get(relation.tail)
        if relation.label not in ontology.relations:
            item_class = "unknown_label"
        elif head is None or tail is None:
            item_class = "dangling_relation"
        elif head == tail:
            item_class = "self_relation"
        elif (head, tail, relation.label) in seen:
            item_class = "duplicate"
        else:
            item_class = "ok"
            seen.add((head, tail, relation.label))
        relations.append(PredictedRelation(relation.head, relation.tail, relation.label, item_class))
    return tuple(relations)


class _Finder:
    """Occurrences of texts in a unit, as offsets in the unit, in three readings of both."""

    def __init__(self, unit: Unit, *, by_token: bool) -> None:
        self.unit = unit
        self.by_token = by_token
        self.starts = {start - unit.start for start, _ in unit.token_offsets}
        self.ends = {end - unit.start for _, end in unit.token_offsets}
        self.known: dict[tuple[int, str], list[tuple[int, int]]] = {}
        self.haystacks: dict[int, tuple[str, list[int], list[int]]] = {}

    def occurrences(self, text: str, reading: int) -> list[tuple[int, int]]:
        """All, left to right; with `by_token` unset, those that cut no word first, and only those if not verbatim."""
        if (reading, text) not in self.known:
            self.known[reading, text] = self._search(text, reading)
        return self.known[reading, text]

    def _search(self, text: str, reading: int) -> list[tuple[int, int]]:
        if reading == _EXACT:
            if text != text.strip():
                return []
            found = [(start, start + len(text)) for start in _find_all(text, self.unit.text)]
        else:
            if reading not in self.haystacks:
                self.haystacks[reading] = _level(self.unit.text, reading)
            haystack, starts, ends = self.haystacks[reading]
            needle, _, _ = _level(text, reading)
            found = [(starts[at], ends[at + len(needle) - 1]) for at in _find_all(needle, haystack)]
        whole = [place for place in found if self._is_whole(place)]
        if self.by_token or reading != _EXACT:
            return whole
        return whole + [place for place in found if not self._is_whole(place)]

    def _is_whole(self, place: tuple[int, int]) -> bool:
        start, end = place
        if self.by_token:
            return start in self.starts and end in self.ends
        return not (self._inside_word(start) or self._inside_word(end))

    def _inside_word(self, position: int) -> bool:
        return self.unit.text[max(position - 1, 0) : position + 1].isalnum() and 0 < position < len(self.unit.text)


def _find_all(needle: str, haystack: str) -> Iterator[int]:
    at = haystack.find(needle)
    while at >= 0:
        yield at
        at = haystack.find(needle, at + 1)


def _level(text: str, reading: int) -> tuple[str, list[int], list[int]]:
    """The text without white space, with plain brackets and quotes; and where each of its letters began and ended."""
    letters, starts, ends = [], [], []
    for piece in _PIECE.finditer(text):
        letter = _LEVEL.get(piece[0], piece[0])
        for part in letter.casefold() if reading == _FOLDED else letter:
            letters.append(part)
            starts.append(piece.start())
            ends.append(piece.end())
    return "".join(letters), starts, ends
