"""Units and predictions by hand; token n is one letter, characters 2n to 2n + 1."""

from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.units import document_units
from tabpo.records import Document, PredictedRelation, PredictedSpan, Prediction, Relation, Span

CANONICAL = frozenset({"COMPARE", "CONJUNCTION"})
SCIENCE = Ontology(
    "entities",
    {name: Label("", {}) for name in ("Method", "Task", "Material", "Generic")},
    {"USED-FOR": RelationType("", False), "COMPARE": RelationType("", True), "CONJUNCTION": RelationType("", True)},
)


def offsets(first, last):
    return 2 * first, 2 * last + 1


def unit(entities, relations=(), tokens="abcdef"):
    """Entities are (first token, last token, label), relations (head, tail, label) by position in `entities`."""
    spans = tuple(Span(n, label, None, *offsets(*place)) for n, (*place, label) in enumerate(sorted(entities), start=1))
    ids = {entity: number for number, entity in enumerate(sorted(entities), start=1)}
    links = tuple(Relation(ids[entities[head]], ids[entities[tail]], label) for head, tail, label in relations)
    document = Document("d", None, " ".join(tokens), tuple(tokens), ((0, len(tokens)),), spans, links)
    return document_units(document, "sentence")[0]


def prediction(entities, relations=()):
    spans = tuple(
        PredictedSpan(n, label, None, "", *offsets(*place), item_class="ok")
        for n, (*place, label) in enumerate(entities, start=1)
    )
    links = tuple(PredictedRelation(head + 1, tail + 1, label, "ok") for head, tail, label in relations)
    return Prediction("d#0", "ok", spans, links)


def percent(counts):
    return tuple(round(100 * value, 2) for value in (counts.precision, counts.recall, counts.f1))


ABC = [(0, 0, "Method"), (1, 1, "Method"), (2, 2, "Task")]
GOLD_B = [(0, 1, "COMPARE"), (0, 2, "USED-FOR")]
