"""Expert patterns of ambiguity: which value is easily confused with which, the reason, and the source."""

from dataclasses import dataclass
from pathlib import Path

from tabpo.answers.ontology import Ontology
from tabpo.artefacts import read_yaml
from tabpo.confusions.counts import REVERSED
from tabpo.errors import ConfigError

KINDS = ("label", "sublabel", "relation_label", "relation_direction")
"""Kinds of confusion that a pattern can describe."""

KEYS = ("gold", "predicted", "weight", "reason", "source", "guideline")


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """One expert pattern.

    Attributes:
        kind: One of `KINDS`.
        gold: The right value.
        predicted: The wrong value; "reversed" for relation_direction.
        weight: Plausibility relative to the other patterns of all kinds, > 0.
        reason: Why the two values are confused, in one line.
        source: Where the pattern comes from; "ours" if this project made it up.
        guideline: Where the annotation guideline defines the two values.
    """

    kind: str
    gold: str
    predicted: str
    weight: float
    reason: str
    source: str
    guideline: str


def read_ambiguities(path: Path, ontology: Ontology) -> tuple[Ambiguity, ...]:
    """Read a file of `config/ambiguities/`, which has a list of patterns per kind.

    Raises:
        ConfigError: The file is missing, is no YAML or has another structure, or a pattern has a value that the
            ontology does not have; names file, kind and position (from 1).
    """
    content = read_yaml(path, "file of ambiguities")
    if not isinstance(content, dict) or not set(content) <= set(KINDS):
        raise ConfigError(f"{path}: needs a mapping from kind to patterns; kinds are {', '.join(KINDS)}")
    for kind, entries in content.items():
        if not isinstance(entries, list | None):
            raise ConfigError(f"{path}: {kind} needs a list of patterns")
    patterns = [
        _pattern(f"{path}: {kind} {position}", kind, entry, ontology)
        for kind in KINDS
        for position, entry in enumerate(content.get(kind) or [], start=1)
    ]
    seen = [(pattern.kind, pattern.gold, pattern.predicted) for pattern in patterns]
    twice = sorted({key for key in seen if seen.count(key) > 1})
    if twice:
        raise ConfigError(f"{path}: {' '.join(twice[0])} is listed more than once")
    return tuple(patterns)


def _pattern(where: str, kind: str, entry: object, ontology: Ontology) -> Ambiguity:
    if not isinstance(entry, dict) or set(entry) != set(KEYS):
        raise ConfigError(f"{where}: needs exactly the keys {', '.join(KEYS)}")
    texts = {key: entry[key] for key in KEYS if key != "weight"}
    if not all(isinstance(value, str) and value.strip() for value in texts.values()):
        raise ConfigError(f"{where}: {', '.join(texts)} must be texts")
    weight = entry["weight"]
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
        raise ConfigError(f"{where}: weight must be a positive number")
    gold, predicted = entry["gold"], entry["predicted"]
    golds = _values(kind, ontology)
    if gold not in golds:
        raise ConfigError(f"{where}: gold {gold!r} is not one of {', '.join(golds) or 'none'}")
    accepted = partners(kind, gold, ontology)
    if predicted not in accepted:
        raise ConfigError(
            f"{where}: predicted {predicted!r} cannot stand for {gold!r}; accepted: {', '.join(accepted) or 'none'}"
        )
    return Ambiguity(kind=kind, weight=float(weight), **texts)


def _values(kind: str, ontology: Ontology) -> list[str]:
    if kind == "label":
        return list(ontology.labels)
    if kind == "sublabel":
        return sorted({sublabel for label in ontology.labels.values() for sublabel in label.sublabels})
    return list(ontology.relations)


def partners(kind: str, gold: str, ontology: Ontology) -> list[str]:
    """Return the values that a gold value of this kind may be confused with.

    For a sub-label these are the other sub-labels of the labels under which it is legal.
    """
    if kind == "sublabel":
        inventories = [label.sublabels for label in ontology.labels.values() if gold in label.sublabels]
        return sorted({sublabel for inventory in inventories for sublabel in inventory} - {gold})
    if kind == "relation_direction":
        return [] if ontology.relations[gold].symmetric else [REVERSED]
    return [value for value in _values(kind, ontology) if value != gold]
