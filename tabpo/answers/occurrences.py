"""Find the texts of an answer's spans in their unit."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tabpo.answers.render import AnswerSpan
from tabpo.answers.units import Unit

_EXACT, _LEVELLED, _FOLDED = range(3)
_LEVEL = {
    **{"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"},
    **dict.fromkeys(("``", "''", "“", "”", "„", "«", "»"), '"'),
    **dict.fromkeys(("`", "´", "‘", "’"), "'"),
}
_PIECE = re.compile("|".join(map(re.escape, _LEVEL)) + r"|\S")

Offsets = tuple[int, int]
Order = Callable[[list[Offsets], Offsets], list[Offsets]]
"""Takes all occurrences of a text and the place of the item before, and returns the occurrences in the order to try."""


@dataclass(frozen=True, slots=True)
class Place:
    """A span's place in the document.

    Attributes:
        start: First character.
        end: End, excluded.
        repeated: Whether all occurrences were taken, so that the span repeats an earlier one.
        normalised: Whether the text was found only after normalisation.
    """

    start: int
    end: int
    repeated: bool
    normalised: bool


def leftmost(occurrences: list[Offsets], previous: Offsets) -> list[Offsets]:
    """Keep the occurrences in the order of the text, wherever the item before is."""
    return occurrences


def behind(occurrences: list[Offsets], previous: Offsets) -> list[Offsets]:
    """Put first the occurrences that do not lie before the previous item.

    The previous item's own place is among these, because another label may have the same place.
    """
    return sorted(occurrences, key=lambda place: place < previous)


def place_spans(
    spans: Sequence[AnswerSpan], unit: Unit, order: Order, *, by_token: bool, by_label: bool
) -> dict[int, Place]:
    """Return the place of each span that is found, by id.

    Args:
        spans: The spans of an answer.
        unit: The unit that the answer is about.
        order: It says which occurrences are tried first.
        by_token: Whether an occurrence consists of whole tokens.
        by_label: Whether a taken occurrence is taken for spans of the same label and sub-label alone.
    """
    finder = _Finder(unit, by_token=by_token)
    placed: dict[int, Place] = {}
    taken: set[tuple] = set()
    used_up: set[tuple] = set()  # texts without a free occurrence; a taken occurrence never becomes free
    for reading in (_EXACT, _LEVELLED, _FOLDED):
        previous = (-1, -1)
        for span in spans:
            if span.id in placed:
                if not placed[span.id].repeated:
                    previous = placed[span.id].start - unit.start, placed[span.id].end - unit.start
                continue
            occurrences = finder.occurrences(span.text, reading) if span.text.strip() else []
            if not occurrences:
                continue
            owner = (span.label, span.sublabel) if by_label else ()
            text = (owner, reading, span.text)
            ordered = [] if text in used_up else order(occurrences, previous)
            free = next((place for place in ordered if (owner, place) not in taken), None)
            if free is None:
                used_up.add(text)
            else:
                previous = free
            start, end = free or occurrences[0]
            taken.add((owner, (start, end)))
            placed[span.id] = Place(unit.start + start, unit.start + end, free is None, reading != _EXACT)
    return placed


class _Finder:
    """Finds the occurrences of texts in a unit, as offsets in the unit, in three readings of both texts."""

    def __init__(self, unit: Unit, *, by_token: bool) -> None:
        self.unit = unit
        self.by_token = by_token
        self.starts = {start - unit.start for start, _ in unit.token_offsets}
        self.ends = {end - unit.start for _, end in unit.token_offsets}
        self.known: dict[tuple[int, str], list[Offsets]] = {}
        self.haystacks: dict[int, tuple[str, list[int], list[int]]] = {}

    def occurrences(self, text: str, reading: int) -> list[Offsets]:
        """Return all occurrences, left to right.

        With `by_token`, an occurrence consists of whole tokens. Without it, a verbatim search returns the occurrences
        that cut no word before the others; the other two readings return only occurrences that cut no word.
        """
        if (reading, text) not in self.known:
            self.known[reading, text] = self._search(text, reading)
        return self.known[reading, text]

    def _search(self, text: str, reading: int) -> list[Offsets]:
        if reading == _EXACT:
            if text != text.strip():
                return []
            matches = [(start, start + len(text)) for start in _find_all(text, self.unit.text)]
        else:
            if reading not in self.haystacks:
                self.haystacks[reading] = _level(self.unit.text, reading)
            haystack, starts, ends = self.haystacks[reading]
            needle, _, _ = _level(text, reading)
            matches = [(starts[at], ends[at + len(needle) - 1]) for at in _find_all(needle, haystack)]
        whole = [place for place in matches if self._is_whole(place)]
        if self.by_token or reading != _EXACT:
            return whole
        return whole + [place for place in matches if not self._is_whole(place)]

    def _is_whole(self, place: Offsets) -> bool:
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
    """Normalise brackets and quotes and remove white space.

    Returns the resulting text, and for each of its characters the start and end of the piece it comes from.
    """
    letters, starts, ends = [], [], []
    for piece in _PIECE.finditer(text):
        letter = _LEVEL.get(piece[0], piece[0])
        for part in letter.casefold() if reading == _FOLDED else letter:
            letters.append(part)
            starts.append(piece.start())
            ends.append(piece.end())
    return "".join(letters), starts, ends
