"""Scores of each label, and their mean."""

from collections.abc import Callable, Hashable, Iterable
from statistics import fmean

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit
from tabpo.metrics import medical, spans
from tabpo.metrics.counts import Counts, set_counts_by
from tabpo.records import Prediction


def label_counts(unit: Unit, prediction: Prediction, ontology: Ontology) -> dict[tuple[str, str], Counts]:
    """Count one unit by (metric, label), with set counting and directed relations.

    The result has every label of the ontology that occurs in gold or in the prediction. The label of a pair or triple
    is its code and sub-code. A label that a model invents is not listed: it is a false positive of no known label, and
    files of scores must not quote answers.
    """
    counts = {}
    for metric, (items, label, known) in _metrics(ontology).items():
        by_label = set_counts_by(label, *items(unit, prediction))
        counts |= {(metric, name): by_label[name] for name in known if name in by_label}
    return counts


def known_labels(ontology: Ontology) -> dict[str, list[str]]:
    """Return, for each metric, all labels by which it may be counted, in the order of the ontology."""
    return {metric: known for metric, (_, _, known) in _metrics(ontology).items()}


def macro_f1(by_label: Iterable[Counts]) -> float:
    """Return the mean F1 of the labels that occur in gold, 0 to 1.

    So all predictions for the same units are averaged over the same labels.
    """
    return fmean([counts.f1 for counts in by_label if counts.gold] or [0.0])


_Items = Callable[[Unit, Prediction], tuple]
_Label = Callable[[Hashable], str]
_Metrics = dict[str, tuple[_Items, _Label, list[str]]]


def _metrics(ontology: Ontology) -> _Metrics:
    return _entity_metrics(ontology) if ontology.answer == "entities" else _medical_metrics(ontology)


def _entity_metrics(ontology: Ontology) -> _Metrics:
    labels, relations = list(ontology.labels), list(ontology.relations)
    return {
        "ner_strict": (spans.ner_items, _last, labels),
        "rel": (lambda unit, prediction: spans.rel_items(unit, prediction, spans.DIRECTED), _last, relations),
        "rel_plus": (lambda unit, prediction: spans.rel_plus_items(unit, prediction, spans.DIRECTED), _last, relations),
    }


def _medical_metrics(ontology: Ontology) -> _Metrics:
    pairs = [_pair((code, sub)) for code, label in ontology.labels.items() for sub in label.sublabels or [None]]
    subs = list(dict.fromkeys(sub for label in ontology.labels.values() for sub in label.sublabels))
    return {
        "code": (medical.code_items, str, list(ontology.labels)),
        "sub_code": (medical.sub_code_items, str, subs),
        "pair": (medical.pair_items, _pair, pairs),
        "triple": (medical.triple_items, _pair, pairs),
    }


def _last(key: tuple) -> str:
    return key[-1]


def _pair(key: tuple) -> str:
    return f"{key[0]} / {key[1]}"
