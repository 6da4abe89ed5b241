"""How a file is read: the ontology that it needs, what is counted on the way, and whether the first fault ends it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tabpo.answers.ontology import Ontology
from tabpo.data.jsonl import Place
from tabpo.errors import DataError

Item = TypeVar("Item")


@dataclass
class Reading:
    """What a reader needs, and what it reports besides its documents.

    Attributes:
        ontology: Its `roles`, `attribute_labels` and `passed_over` say how some formats are read; all else in it is
            checked after reading.
        noticed: How often something was passed over, or stood in an unusual place.
        places: The place of each document that was read, in the order of the documents.
        faults: None if the first fault is raised. Otherwise the faults of all documents, one a document at most; the
            documents with a fault are left out.
    """

    ontology: Ontology = field(default_factory=lambda: Ontology("entities", {}, {}))
    noticed: Counter[str] = field(default_factory=Counter)
    places: list[Place] = field(default_factory=list)
    faults: list[DataError] | None = None

    @contextmanager
    def of_one(self) -> Iterator[None]:
        """Keep a DataError of the block in `faults`, or raise it if there is no such list."""
        try:
            yield
        except DataError as error:
            if self.faults is None:
                raise
            self.faults.append(error)

    def each(self, read: Callable[[Place, Any], Item], items: Iterable[tuple[Place, Any]]) -> list[Item]:
        """Return `read(place, content)` of each item without a fault, and keep its place."""
        documents = []
        for place, content in items:
            with self.of_one():
                documents.append(read(place, content))
                self.places.append(place)
        return documents
