"""Scores by the rules of the scorer that was released for PV-Miner: sets of labels, and loosely matched spans.

For each unit, the set of codes, the set of sub-codes and the list of spans are compared separately. Labels outside the
ontology and the sub-code "None" are ignored in gold and in the prediction. A span is a set of words (lower-cased, split
at white space). Predicted spans are taken in the order of the answer; each matches the first unmatched gold span that
contains it, that it contains, or with which it shares at least 60 % of the words of both. An empty span is contained in
every other span, and texts need not occur in the unit. These loopholes are kept so that published numbers can be
compared. Links between entities, which that scorer does not have, are matched in the same manner.

There are two releases. This is the first (SarielMa/finben_modified, commit 35112d2, pv_miner_all). In the second
(SarielMa/PVminerLLM2, commit 5d18b85) an empty span matches no span. Both list 26 sub-codes and lack "Clinical care",
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
    """Count the set of codes, or of entity labels, of the unit."""
    return _label_sets(unit.spans, prediction.spans, lambda span: span.label, set(ontology.labels))


def sub_code(unit: Unit, prediction: Prediction, ontology: Ontology) -> Counts:
    """Count the set of sub-codes of the unit."""
    listed = {name for label in ontology.labels.values() for name in label.sublabels} - {NO_SUBCODE}
    return _label_sets(unit.spans, prediction.spans, lambda span: span.sublabel, listed)


def span(unit: Unit, prediction: Prediction) -> Counts:
    """Count the list of spans, greedily matched."""
    gold = [_words(text) for text in _texts(unit).values()]
    return _greedy(gold, [_words(span.text) for span in prediction.spans], near)


def link(unit: Unit, prediction: Prediction, ontology: Ontology) -> Counts:
    """Count the list of relations, greedily matched by equal labels and by matching heads and tails."""
    gold_words = {number: _words(text) for number, text in _texts(unit).items()}
    words = {span.id: _words(span.text) for span in prediction.spans}
    gold = [(relation.label, gold_words[relation.head], gold_words[relation.tail]) for relation in unit.relations]
    links = [
        (relation.label, words.get(relation.head), words.get(relation.tail))
        for relation in prediction.relations
        if relation.label in ontology.relations
    ]
    return _greedy(gold, links, _links_agree)


def _label_sets(gold: Iterable, predicted: Iterable, label: Callable, listed: set[str]) -> Counts:
    return set_counts(listed & set(map(label, gold)), ((name, True) for name in listed & set(map(label, predicted))))


def _greedy(gold: list, predicted: list, agree: Callable[[object, object], bool]) -> Counts:
    free = list(gold)
    for item in predicted:
        match = next((number for number, candidate in enumerate(free) if agree(candidate, item)), None)
        if match is not None:
            free.pop(match)
    return Counts(len(gold) - len(free), len(predicted), len(gold))


def _links_agree(first: tuple, second: tuple) -> bool:
    return first[0] == second[0] and all(
        other_end is not None and near(end, other_end) for end, other_end in zip(first[1:], second[1:], strict=True)
    )


def _texts(unit: Unit) -> dict[int, str]:
    return {span.id: unit.text[span.start - unit.start : span.end - unit.start] for span in unit.spans}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())
