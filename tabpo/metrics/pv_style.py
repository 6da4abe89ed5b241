"""Scores as the scorer that was released for PV-Miner gives them: label sets, and spans that agree loosely.

Of each unit the set of codes, the set of sub-codes and the list of spans are compared apart from one another. Labels
that are not in the ontology, and the sub-code "None", are ignored on both sides. Spans are sets of words (lower-cased,
split at white space); predicted ones are taken in the order of the answer, each matching the first free gold span that
holds it, is held by it, or shares 60 % of the words of both. An empty span is held by every other, and texts need not
be in the unit: these are its loopholes, kept so that published numbers can be compared. Links between entities, which
that scorer does not know, are matched in the same manner.

There are two releases. This is the first (SarielMa/finben_modified, commit 35112d2, pv_miner_all); in the second
(SarielMa/PVminerLLM2, commit 5d18b85) an empty span agrees with none. Both list 26 sub-codes, without "Clinical care",
which the ontology of PV-Miner has and which counts here.
"""

from collections.abc import Callable, Iterable

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit
from tabpo.metrics.counts import Counts, set_counts
from tabpo.metrics.relaxed import near
from tabpo.records import Prediction

NO_SUBCODE = "None"


def code(unit: Unit, prediction: Prediction, ontology: Ontology) -> Counts:
    """Set of codes, or of entity labels, of the unit."""
    return _label_sets(unit.spans, prediction.spans, lambda span: span.label, set(ontology.labels))


def sub_code(unit: Unit, prediction: Prediction, ontology: Ontology) -> Counts:
    """Set of sub-codes of the unit."""
    listed = {name for label in ontology.labels.values() for name in label.sublabels} - {NO_SUBCODE}
    return _label_sets(unit.spans, prediction.spans, lambda span: span.sublabel, listed)


def span(unit: Unit, prediction: Prediction) -> Counts:
    """List of spans, greedily matched."""
    gold = [_words(text) for text in _texts(unit).values()]
    return _greedy(gold, [_words(span.text) for span in prediction.spans], near)


def link(unit: Unit, prediction: Prediction, ontology: Ontology) -> Counts:
    """List of relations, greedily matched: the same label, heads that agree and tails that agree."""
    gold_words = {number: _words(text) for number, text in _texts(unit).items()}
    words = {span.id: _words(span.text) for span in prediction.spans}
    gold = [(one.label, gold_words[one.head], gold_words[one.tail]) for one in unit.relations]
    links = [
        (one.label, words.get(one.head), words.get(one.tail))
        for one in prediction.relations
        if one.label in ontology.relations
    ]
    return _greedy(gold, links, _links_agree)


def _label_sets(gold: Iterable, predicted: Iterable, label: Callable, listed: set[str]) -> Counts:
    return set_counts(listed & set(map(label, gold)), ((name, True) for name in listed & set(map(label, predicted))))


def _greedy(gold: list, predicted: list, agree: Callable[[object, object], bool]) -> Counts:
    free = list(gold)
    for item in predicted:
        match = next((number for number, one in enumerate(free) if agree(one, item)), None)
        if match is not None:
            free.pop(match)
    return Counts(len(gold) - len(free), len(predicted), len(gold))


def _links_agree(first: tuple, second: tuple) -> bool:
    return first[0] == second[0] and all(
        other is not None and near(one, other) for one, other in zip(first[1:], second[1:], strict=True)
    )


def _texts(unit: Unit) -> dict[int, str]:
    return {span.id: unit.text[span.start - unit.start : span.end - unit.start] for span in unit.spans}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())
