"""An annotation scheme: its labels with definitions, valid sub-labels, and relations."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from tabpo.errors import ConfigError


@dataclass(frozen=True)
class Label:
    """An entity type or a code; `sublabels` maps each valid sub-code to its definition; it may be empty."""

    definition: str
    sublabels: dict[str, str]


@dataclass(frozen=True)
class RelationType:
    """A relation label; a symmetric one means the same in both directions."""

    definition: str
    symmetric: bool


@dataclass(frozen=True)
class Ontology:
    """What an answer may contain.

    Attributes:
        answer: Format of the answer: "entities" (spans with ids, and relations) or "results" (code, sub-code, span).
        labels: By name, in the order in which prompts list them.
        relations: By name; empty for "results".
    """

    answer: str
    labels: dict[str, Label]
    relations: dict[str, RelationType]

    def valid(self, label: str, sublabel: str | None) -> bool:
        """Whether a (label, sub-label) pair may be given to a span; schemes without a second level take None."""
        if label not in self.labels:
            return False
        sublabels = self.labels[label].sublabels
        return sublabel in sublabels if sublabels else sublabel is None


def read_ontology(path: Path) -> Ontology:
    """Read `config/ontologies/*.yaml`.

    Raises:
        ConfigError: The file is missing, or has keys or values other than those of `Ontology`.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such ontology") from error
    try:
        labels = {
            name: Label(definition=entry["definition"], sublabels=entry.get("sublabels", {}))
            for name, entry in content["labels"].items()
        }
        relations = {
            name: RelationType(definition=entry["definition"], symmetric=entry.get("symmetric", False))
            for name, entry in content.get("relations", {}).items()
        }
        ontology = Ontology(answer=content["answer"], labels=labels, relations=relations)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: needs answer, labels (name: definition, sublabels) and relations (name: definition, symmetric);"
            f" at fault: {error}"
        ) from error
    if ontology.answer not in ("entities", "results"):
        raise ConfigError(f"{path}: answer is {ontology.answer!r}; accepted: entities, results")
    return ontology
