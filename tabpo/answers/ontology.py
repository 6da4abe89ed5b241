"""An annotation scheme: its labels with definitions, their valid sub-labels, and relations."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tabpo.artefacts import read_yaml
from tabpo.errors import ConfigError


@dataclass(frozen=True)
class Label:
    """An entity type or a code; `sublabels` maps each valid sub-code to its definition and may be empty."""

    definition: str
    sublabels: dict[str, str]


@dataclass(frozen=True)
class RelationType:
    """A relation label; a symmetric relation means the same in both directions."""

    definition: str
    symmetric: bool


@dataclass(frozen=True)
class Directions:
    """Which labels a document may have, depending on one of its attributes (who writes to whom).

    Attributes:
        attribute: Name of the attribute.
        definitions: Meaning of each value of the attribute.
        labels: For each value, the labels that a document with this value may have.
    """

    attribute: str
    definitions: dict[str, str]
    labels: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Ontology:
    """What an answer may contain.

    Attributes:
        answer: Format of the answer: "entities" (spans with ids, and relations) or "results" (code, sub-code, span).
        labels: Labels by name, in the order in which prompts list them.
        relations: Relations by name; empty for "results".
        variants: Other spellings in the data, by kind ("labels", "sublabels", "relations"), each with the name that it
            stands for.
        directions: None if labels do not depend on an attribute.
        coreference: Name of the relation that stands for coreference in the data and is not among `relations`, or None.
        roles: For labels of relations in brat files, the names of the head's and of the tail's argument; a label that
            is not here has Arg1 and Arg2.
        attribute_labels: For attributes in brat files, what a span's label gets after a slash where it has them.
        passed_over: Kinds of lines of brat files that are not read: "attributes" (all others), "events".
        several_labels: Whether one span may have several labels; in "results" it always may.
    """

    answer: str
    labels: dict[str, Label]
    relations: dict[str, RelationType]
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    directions: Directions | None = None
    coreference: str | None = None
    roles: dict[str, tuple[str, str]] = field(default_factory=dict)
    attribute_labels: dict[str, str] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    several_labels: bool = False

    @property
    def labels_share_spans(self) -> bool:
        """Whether an answer may state one span with several labels."""
        return self.several_labels or self.answer == "results"

    def valid(self, label: str, sublabel: str | None) -> bool:
        """Return whether a span may have this label and sub-label; labels without sub-labels take None."""
        if label not in self.labels:
            return False
        sublabels = self.labels[label].sublabels
        return sublabel in sublabels if sublabels else sublabel is None

    def names(self, kind: str) -> set[str]:
        """Return all names of a kind: "labels", "sublabels" or "relations"."""
        if kind == "sublabels":
            return {name for label in self.labels.values() for name in label.sublabels}
        return set(self.labels if kind == "labels" else self.relations)


BRAT = ("roles", "attribute_labels", "passed_over")
"""Keys that say how brat files are read."""

OPTIONAL = ("relations", "variants", "directions", "coreference", "several_labels")

KINDS = ("labels", "sublabels", "relations")


def read_ontology(path: Path) -> Ontology:
    """Read a file of `config/ontologies/` or a user's own.

    Raises:
        ConfigError: The file is missing or is no YAML; it has keys or values other than those of `Ontology`; it has
            sub-labels or relations that its answer format cannot state; a variant is itself a name or stands for no
            name; a direction has unknown labels; roles are of an unknown relation or are not two different names; or no
            label has the part that an attribute gives.
    """
    content = read_yaml(path, "ontology")
    _keys(f"{path}", content, ("answer", "labels"), (*OPTIONAL, *BRAT))
    answer = content["answer"]
    if answer not in ("entities", "results"):
        raise ConfigError(f"{path}: answer is {answer!r}; accepted: entities, results")
    relations = content.get("relations", {})
    if answer == "results" and relations:
        raise ConfigError(f"{path}: answers in the format results have no relations; accepted: the format entities")
    ontology = Ontology(
        answer=answer,
        labels={name: _label(f"{path}, labels.{name}", item) for name, item in _items(path, "labels", content)},
        relations={
            name: _relation(f"{path}, relations.{name}", item) for name, item in _items(path, "relations", content)
        },
    )
    if not ontology.labels:
        raise ConfigError(f"{path}: labels is empty; accepted: at least one label")
    for name, label in ontology.labels.items():
        _check_levels(f"{path}, labels.{name}", label, answer)
    several_labels = content.get("several_labels", False)
    if not isinstance(several_labels, bool) or (several_labels and answer == "results"):
        raise ConfigError(
            f"{path}: several_labels is {several_labels!r}; accepted: true, false, in the format entities; a span of"
            " results may have several labels anyway"
        )
    coreference = content.get("coreference")
    if coreference is not None and _text(f"{path}, coreference", coreference) in ontology.relations:
        raise ConfigError(f"{path}: coreference is {coreference!r}, one of relations; accepted: another name")
    variants = _variants(f"{path}, variants", content.get("variants", {}), ontology)
    labels = [*ontology.relations, *variants["relations"], *([coreference] if coreference else [])]
    return replace(
        ontology,
        coreference=coreference,
        roles={
            name: _roles(f"{path}, roles.{name}", name, item, labels) for name, item in _items(path, "roles", content)
        },
        attribute_labels={
            name: _attribute_label(f"{path}, attribute_labels.{name}", item, ontology)
            for name, item in _items(path, "attribute_labels", content)
        },
        passed_over=_passed_over(f"{path}, passed_over", content.get("passed_over", [])),
        variants=variants,
        several_labels=several_labels,
        directions=_directions(f"{path}, directions", content["directions"], ontology)
        if "directions" in content
        else None,
    )


def _keys(where: str, value: Any, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    accepted = [*required, *(f"{key} (optional)" for key in optional)]
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: is no mapping; accepted: {', '.join(accepted)}")
    wrong = [*(f"lacks {key}" for key in required if key not in value)]
    wrong += [f"has unknown {key!r}" for key in value if key not in (*required, *optional)]
    if wrong:
        raise ConfigError(f"{where}: {wrong[0]}; accepted: {', '.join(accepted)}")


def _items(path: Path | str, key: str, content: dict[str, Any]) -> list[tuple[str, Any]]:
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {key} is no mapping; accepted: a mapping from names to entries")
    wrong = [name for name in value if not isinstance(name, str)]
    if wrong:
        raise ConfigError(f'{path}: {key} has the name {wrong[0]!r}, which is no text; write it in quotes: "No"')
    return list(value.items())


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} is {value!r}; accepted: a text")
    return value


def _label(where: str, entry: Any) -> Label:
    _keys(where, entry, ("definition",), ("sublabels",))
    sublabels = {name: _text(f"{where}.{name}", text) for name, text in _items(where, "sublabels", entry)}
    return Label(_text(f"{where}.definition", entry["definition"]), sublabels)


def _check_levels(where: str, label: Label, answer: str) -> None:
    """Refuse sub-labels that the answer format cannot state, and labels that lack a sub-label it must state.

    A record of "results" has a sub-code and a record of "entities" has none; otherwise even gold answers could not be
    read.
    """
    if answer == "entities" and label.sublabels:
        raise ConfigError(
            f"{where}: has sublabels, which answers in the format entities do not state; accepted: the format results"
        )
    if answer == "results" and not label.sublabels:
        raise ConfigError(f'{where}: has no sublabels; accepted: at least one, "None" for a code without a finer level')


def _relation(where: str, entry: Any) -> RelationType:
    _keys(where, entry, ("definition",), ("symmetric",))
    if not isinstance(entry.get("symmetric", False), bool):
        raise ConfigError(f"{where}.symmetric is {entry['symmetric']!r}; accepted: true, false")
    return RelationType(_text(f"{where}.definition", entry["definition"]), entry.get("symmetric", False))


def _roles(where: str, name: str, entry: Any, labels: list[str]) -> tuple[str, str]:
    if name not in labels:
        raise ConfigError(f"{where}: names no relation; accepted: {', '.join(labels) or 'none'}")
    if not (isinstance(entry, list) and len(entry) == 2 and all(map(_is_role, entry)) and entry[0] != entry[1]):
        raise ConfigError(f"{where} is {entry!r}; accepted: [role of the head, role of the tail], two different names")
    return entry[0], entry[1]


def _attribute_label(where: str, entry: Any, ontology: Ontology) -> str:
    part = _text(where, entry)
    if not any(f"/{part}/" in f"{label}/" for label in ontology.labels):
        example = f"{next(iter(ontology.labels))}/{part}"
        raise ConfigError(f"{where} is {part!r}, and no label has it behind a slash; accepted: {example} among labels")
    return part


def _passed_over(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or [kind for kind in value if kind not in ("attributes", "events")]:
        raise ConfigError(f"{where} is {value!r}; accepted: a list of attributes, events")
    return tuple(value)


def _is_role(value: Any) -> bool:
    return isinstance(value, str) and value.split() == [value]


def _variants(where: str, entry: Any, ontology: Ontology) -> dict[str, dict[str, str]]:
    _keys(where, entry, (), KINDS)
    variants = {kind: dict(_items(where, kind, entry)) for kind in KINDS}
    for kind, names in variants.items():
        known = ontology.names(kind)
        for variant, name in names.items():
            if variant in known:
                raise ConfigError(f"{where}.{kind}: {variant!r} is a name itself; accepted: other spellings")
            if name not in known:
                accepted = ", ".join(sorted(known)) or "none"
                raise ConfigError(f"{where}.{kind}: {variant!r} stands for {name!r}; accepted: {accepted}")
    return variants


def _directions(where: str, entry: Any, ontology: Ontology) -> Directions:
    _keys(where, entry, ("attribute", "values"))
    attribute = _text(f"{where}.attribute", entry["attribute"])
    definitions, labels = {}, {}
    for value, item in _items(where, "values", entry):
        _keys(f"{where}.{value}", item, ("definition", "labels"))
        definitions[value] = _text(f"{where}.{value}.definition", item["definition"])
        unknown = [name for name in item["labels"] if name not in ontology.labels]
        if unknown:
            accepted = ", ".join(ontology.labels)
            raise ConfigError(f"{where}.{value}.labels has {unknown[0]!r}; accepted: {accepted}")
        labels[value] = tuple(item["labels"])
    return Directions(attribute, definitions, labels)
