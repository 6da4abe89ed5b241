"""Scores of entities and relations by the rules of the released scorers of published systems.

The predictions are the same as for the headline scores. The facts about the scorers are from their code: PURE
`shared/data_structures.py`, SpERT `evaluator.py`, PL-Marker `run_acener.py` and `run_re.py`, DyGIE++ `relation.py` and
`ner.py`, UIE `scorer.py`. Those systems score candidate spans, whereas a generated answer lists its spans. Therefore
two rules are ours. Where a scorer keeps the candidate with the best score, the item that comes first in the answer is
kept. A faulty item (DESIGN 4) counts as predicted and is wrong, so that no answer gains by one. Keys are as in `spans`.
Each scorer returns the counts of one unit by metric.
"""

from collections.abc import Hashable, Mapping, Sequence, Set
from typing import NamedTuple

from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts, list_counts, multiset_counts, set_counts
from tabpo.metrics.items import distinct, is_sound, place, tokens
from tabpo.metrics.spans import (
    DIRECTED,
    Offsets,
    gold_relations,
    ner_items,
    predicted_relations,
    rel_items,
    typed_relations,
)
from tabpo.records import PredictedSpan, Prediction, Span

WIDEST = 8
"""Largest number of tokens of a span that DyGIE++ and PL-Marker can predict on SciERC."""


def pure(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count lists, as PURE does: duplicates stay, and each item that equals a gold item is right.

    So recall may exceed 1. For `rel_plus`, some predicted entity at the place of each end must be right, label
    included.
    """
    gold, _ = ner_items(unit, prediction)
    spans = [(place(span), span.label) for span in prediction.spans]
    right = {where for where, label in set(gold) & set(spans)}
    gold_links = [key for key, _ in gold_relations(unit, DIRECTED)]
    places = {span.id: place(span) for span in prediction.spans}
    links = [
        (places.get(relation.head), places.get(relation.tail), relation.label) for relation in prediction.relations
    ]
    typed = [link if link[0] in right and link[1] in right else None for link in links]
    return {
        "ner_strict": list_counts(gold, spans),
        "rel": list_counts(gold_links, links),
        "rel_plus": list_counts(gold_links, typed),
    }


def spert(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count sets, as SpERT does: one label per span; ends of symmetric relations are ordered by their starts."""
    spans = _one_label_each(distinct(prediction.spans))
    return {
        "ner_strict": _ner(unit.spans, spans),
        "rel": set_counts(*rel_items(unit, prediction, symmetric)),
        "rel_plus": set_counts(*typed_relations(unit, prediction, symmetric, _labels(spans))),
    }


def dygie(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count sets, as DyGIE++ does: one label per span and one per ordered pair of spans.

    Spans of more than `WIDEST` tokens cannot be predicted. A wider gold entity is not counted, but a gold relation with
    such an end is. There is no `rel_plus`.
    """
    spans = _one_label_each([span for span in distinct(prediction.spans) if not _is_wide(unit, span)])
    wide = {(span.start, span.end) for span in prediction.spans if _is_wide(unit, span)}
    pairs: dict[tuple, tuple[tuple, bool]] = {}
    for key, sound in predicted_relations(prediction, DIRECTED):
        if not wide & {key[0], key[1]}:
            pairs.setdefault(key[:2] if sound else key, (key, sound))
    return {
        "ner_strict": _ner([span for span in unit.spans if not _is_wide(unit, span)], spans),
        "rel": set_counts((key for key, _ in gold_relations(unit, DIRECTED)), pairs.values()),
    }


def plmarker(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count as PL-Marker does: one label per span and one per unordered pair; a symmetric relation counts twice.

    A span of more than `WIDEST` tokens cannot be predicted; a wider gold span counts as missed. A predicted span that
    overlaps an earlier span with its label is dropped. Relations join predicted entities only. A relation is dropped if
    both its ends overlap those of an earlier relation with its label. Gold has each symmetric relation in both
    directions.
    """
    labelled = _one_label_each([span for span in distinct(prediction.spans) if not _is_wide(unit, span)])
    spans = _without_overlaps(labelled)
    labels = _labels(spans)
    gold = dict(gold_relations(unit, DIRECTED))
    gold |= {(tail, head, label): types[::-1] for (head, tail, label), types in gold.items() if label in symmetric}
    right = typed_right = predicted = 0
    for key, sound in _one_link_each(prediction, labels):
        weight = 2 if key[2] in symmetric else 1
        predicted += weight
        if sound and key in gold:
            right += weight
            typed_right += weight * all(label in labels[end] for label, end in zip(gold[key], key[:2], strict=True))
    return {
        "ner_strict": _ner(unit.spans, spans),
        "rel": Counts(right, predicted, len(gold)),
        "rel_plus": Counts(typed_right, predicted, len(gold)),
    }


class _Texts(NamedTuple):
    """Keys of UIE, which compares texts instead of offsets: (label, text) for spans, and relations between texts."""

    gold: list[tuple]
    spans: list[tuple]
    gold_links: list[tuple]
    links: list[tuple]
    gold_typed: list[tuple]
    typed: list[tuple]


def uie_set(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count sets of labels and texts, wherever the texts occur; see `uie_multiset`."""
    texts = _texts(unit, prediction)
    return {
        "ner_strict": multiset_counts(set(texts.gold), set(texts.spans)),
        "rel": multiset_counts(set(texts.gold_links), set(texts.links)),
        "rel_plus": multiset_counts(set(texts.gold_typed), set(texts.typed)),
    }


def uie_multiset(unit: Unit, prediction: Prediction, symmetric: Set[str]) -> dict[str, Counts]:
    """Count labels and texts, each gold item right at most once (UIE's `normal`); texts are compared as stated.

    For `rel_plus` a predicted head has its own label, and a predicted tail has the label of the last predicted entity
    with its text. UIE gives a tail that is no entity the label of the head; our answers cannot state such tails.
    """
    texts = _texts(unit, prediction)
    return {
        "ner_strict": multiset_counts(texts.gold, texts.spans),
        "rel": multiset_counts(texts.gold_links, texts.links),
        "rel_plus": multiset_counts(texts.gold_typed, texts.typed),
    }


SCORERS = (pure, spert, plmarker, dygie, uie_set, uie_multiset)
"""The released scorers; the name of each function is the name of its convention."""


def _texts(unit: Unit, prediction: Prediction) -> _Texts:
    gold = {span.id: (span.label, unit.text[span.start - unit.start : span.end - unit.start]) for span in unit.spans}
    predicted = {span.id: (span.label, span.text) for span in prediction.spans}
    label_of = {span.text: span.label for span in prediction.spans}
    gold_ends = [(relation.label, gold[relation.head], gold[relation.tail]) for relation in unit.relations]
    nothing = (None, None)
    ends = [
        (relation.label, predicted.get(relation.head, nothing), predicted.get(relation.tail, nothing))
        for relation in prediction.relations
    ]
    return _Texts(
        gold=list(gold.values()),
        spans=[(span.label, span.text) for span in prediction.spans],
        gold_links=[(label, head[1], tail[1]) for label, head, tail in gold_ends],
        links=[(label, head[1], tail[1]) for label, head, tail in ends],
        gold_typed=gold_ends,
        typed=[(label, head, (label_of.get(tail[1]), tail[1])) for label, head, tail in ends],
    )


def _ner(gold: Sequence[Span], spans: Mapping[Hashable, PredictedSpan]) -> Counts:
    return set_counts(
        (((span.start, span.end), span.label) for span in gold),
        (((where, span.label), is_sound(span)) for where, span in spans.items()),
    )


def _is_wide(unit: Unit, span: Span | PredictedSpan) -> bool:
    return span.start is not None and len(tokens(unit, span)) > WIDEST


def _one_label_each(spans: list[PredictedSpan]) -> dict[Hashable, PredictedSpan]:
    """Return the first span of each place."""
    first: dict[Hashable, PredictedSpan] = {}
    for span in spans:
        first.setdefault(place(span), span)
    return first


def _labels(spans: dict[Hashable, PredictedSpan]) -> dict[Hashable, set[str]]:
    return {where: {span.label} for where, span in spans.items() if is_sound(span)}


def _without_overlaps(spans: Mapping[Hashable, PredictedSpan]) -> dict[Hashable, PredictedSpan]:
    kept: dict[Hashable, PredictedSpan] = {}
    for where, span in spans.items():
        rivals = (place for place, earlier in kept.items() if earlier.label == span.label and earlier.start is not None)
        if span.start is None or not any(_overlap(where, place) for place in rivals):
            kept[where] = span
    return kept


def _one_link_each(prediction: Prediction, entities: dict[Hashable, set[str]]) -> list[tuple[tuple, bool]]:
    """Return, in the order of the answer, the faulty relations and those that PL-Marker could have predicted."""
    kept: list[tuple[tuple, bool]] = []
    pairs: set[frozenset] = set()
    for key, sound in dict.fromkeys(predicted_relations(prediction, DIRECTED)):
        head, tail, label = key
        if not sound:
            kept.append((key, False))
        elif head in entities and tail in entities and frozenset((head, tail)) not in pairs:
            pairs.add(frozenset((head, tail)))
            rivals = [rival for rival, is_sound in kept if is_sound and rival[2] == label]
            if not any(_overlap(head, rival[0]) and _overlap(tail, rival[1]) for rival in rivals):
                kept.append((key, True))
    return kept


def _overlap(first: Offsets, second: Offsets) -> bool:
    return first[0] < second[1] and second[0] < first[1]
