"""Scores of each label by itself, and their mean."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import fmean

from tabpo.data.ontology import Ontology
from tabpo.data.units import Unit
from tabpo.metrics import medical, spans
from tabpo.metrics.counts import Counts, set_counts_by
from tabpo.records import Prediction


def label_counts(
    units: Sequence[Unit], predictions: Sequence[Prediction], ontology: Ontology
) -> dict[str, dict[str, Counts]]:
    """metric -> label -> counts over all units, set counting, relations directed, in the order of the ontology.

    Every label of the ontology that gold or predictions have; a triple has its code and sub-code for a label. What a
    model invents is not listed: it is a false positive of no label, and a file of scores quotes no answer.
    """
    metrics = _entity_metrics(ontology) if ontology.answer == "entities" else _medical_metrics(ontology)
    return {
        metric: _sums(items, label, known, zip(units, predictions, strict=True))
        for metric, (items, label, known) in metrics.items()
    }


def macro_f1(by_label: dict[str, Counts]) -> float:
    """Mean F1 of the labels that gold has, 0 to 1; the same labels, then, for all predictions of the same units."""
    return fmean([counts.f1 for counts in by_label.values() if counts.gold] or [0.0])


_Items = Callable[[Unit, Prediction], tuple]
_Label = Callable[[Hashable], str]
_Metrics = dict[str, tuple[_Items, _Label, list[str]]]


def _entity_metrics(ontology: Ontology) -> _Metrics:
    labels, relations = list(ontology.labels), list(ontology.relations)
    return {
        "ner_strict": (spans.ner_items, _last, labels),
        "rel": (lambda unit, found: spans.rel_items(unit, found, spans.DIRECTED), _last, relations),
        "rel_plus": (lambda unit, found: spans.rel_plus_items(unit, found, spans.DIRECTED), _last, relations),
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


def _sums(items: _Items, label: _Label, known: list[str], pairs: Iterable[tuple[Unit, Prediction]]) -> dict:
    counts: dict[str, Counts] = defaultdict(lambda: Counts(0, 0, 0))
    for unit, prediction in pairs:
        for name, found in set_counts_by(label, *items(unit, prediction)).items():
            counts[name] += found
    return {name: counts[name] for name in known if name in counts}
