"""Baselines without a model: annotate the mentions of the training text again by longest match.

An entry is a surface form: a sequence of words and punctuation marks that is annotated at least once in training. Its
labels are those that its annotated occurrences have most often: one label or, if a span can have several, the most
frequent set of labels. Its share is the number of its annotated occurrences divided by the number of all its
occurrences in the training text. Annotation goes from left to right. At each word it takes the longest entry whose
share is at least a threshold, and continues after it, so that spans never overlap. It predicts no relations, because a
list of mentions contains none. The baseline `majority` uses the same surface forms, but gives every mention the labels
that are most frequent in training; its threshold is chosen separately.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tabpo.answers.units import Unit
from tabpo.records import PredictedSpan, Prediction, Span

THRESHOLDS = tuple(step / 20 for step in range(1, 21))
"""Thresholds that `best_threshold` tries."""

Words = tuple[str, ...]
Labels = tuple[tuple[str, str | None], ...]
_Match = tuple[int, int, Labels, float]
"""Start and end in characters of the document, labels and share."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Dictionary:
    """Surface forms of training mentions.

    Attributes:
        entries: For each surface form its labels, sorted (label, sub-label) pairs, and its share.
        longest: For each first word, the number of words of the longest entry that begins with it.
        most_frequent: The labels that training mentions have most often, over all surface forms.
    """

    entries: dict[Words, tuple[Labels, float]]
    longest: dict[str, int]
    most_frequent: Labels


def build_dictionary(units: Sequence[Unit]) -> Dictionary:
    """Collect the mentions of training units; of equally frequent labels the alphabetically first ones are used.

    Mentions that begin or end inside a word are ignored.
    """
    labels: dict[Words, Counter[Labels]] = defaultdict(Counter)
    for unit in units:
        for surface, mention_labels in _mentions(unit):
            labels[surface][mention_labels] += 1
    longest: dict[str, int] = {}
    for surface in labels:
        longest[surface[0]] = max(longest.get(surface[0], 0), len(surface))
    occurrences = Counter(
        surface for unit in units for surface, _, _ in _candidates(_words(unit), longest) if surface in labels
    )
    entries = {
        surface: (_most_frequent(counts), counts.total() / occurrences[surface]) for surface, counts in labels.items()
    }
    totals = sum(labels.values(), start=Counter())
    return Dictionary(entries, longest, _most_frequent(totals) if totals else ())


def majority(dictionary: Dictionary) -> Dictionary:
    """The same surface forms, all with the most frequent labels: measures finding mentions without choosing labels."""
    entries = {surface: (dictionary.most_frequent, share) for surface, (_, share) in dictionary.entries.items()}
    return replace(dictionary, entries=entries)


def annotate(dictionary: Dictionary, unit: Unit, threshold: float) -> Prediction:
    """The mentions that entries with a share of at least `threshold` find in a unit; every item has the class "ok"."""
    return _prediction(unit, _matches(dictionary, unit), threshold)


def best_threshold(
    dictionary: Dictionary, units: Sequence[Unit], score: Callable[[Sequence[Prediction]], float]
) -> float:
    """The threshold of `THRESHOLDS` whose predictions for these units score highest; the lowest if several do."""
    matches = [_matches(dictionary, unit) for unit in units]

    def score_at(threshold: float) -> float:
        return score([_prediction(unit, of_unit, threshold) for unit, of_unit in zip(units, matches, strict=True)])

    return max(THRESHOLDS, key=score_at)


def _most_frequent(counts: Counter[Labels]) -> Labels:
    return min(counts, key=lambda labels: (-counts[labels], str(labels)))


def _matches(dictionary: Dictionary, unit: Unit) -> list[_Match]:
    """All entries in the unit, including overlapping ones, from left to right, the longest first at each word."""
    return [
        (start, end, *dictionary.entries[surface])
        for surface, start, end in _candidates(_words(unit), dictionary.longest)
        if surface in dictionary.entries
    ]


def _prediction(unit: Unit, matches: Sequence[_Match], threshold: float) -> Prediction:
    spans: list[PredictedSpan] = []
    free_from = unit.start
    for start, end, labels, share in matches:
        if start < free_from or share < threshold:
            continue
        free_from = end
        text = unit.text[start - unit.start : end - unit.start]
        for label, sublabel in labels:
            spans.append(PredictedSpan(len(spans) + 1, label, sublabel, text, start, end, "ok"))
    return Prediction(unit.prompt_id, "ok", tuple(spans))


def _mentions(unit: Unit) -> Iterator[tuple[Words, Labels]]:
    """Each annotated sequence of whole words with all its labels."""
    words = _words(unit)
    first = {start: position for position, (_, start, _) in enumerate(words)}
    last = {end: position for position, (_, _, end) in enumerate(words)}
    stretches: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for span in unit.spans:
        stretches[span.start, span.end].append(span)
    for (start, end), spans in stretches.items():
        if start in first and end in last:
            surface = tuple(word for word, _, _ in words[first[start] : last[end] + 1])
            yield surface, tuple(sorted({(span.label, span.sublabel) for span in spans}, key=str))


def _words(unit: Unit) -> list[tuple[str, int, int]]:
    """Words and punctuation marks of the unit, with start and end in characters of the document."""
    return [(match[0], unit.start + match.start(), unit.start + match.end()) for match in _WORD.finditer(unit.text)]


def _candidates(words: list[tuple[str, int, int]], longest: dict[str, int]) -> Iterator[tuple[Words, int, int]]:
    """All sequences of words that could be an entry, with start and end, from left to right, the longest first."""
    for position, (word, start, _) in enumerate(words):
        for length in range(min(longest.get(word, 0), len(words) - position), 0, -1):
            stretch = words[position : position + length]
            yield tuple(item for item, _, _ in stretch), start, stretch[-1][2]
