"""From generated text to offsets: find the spans of an answer in their unit, and classify each item's faults."""

from collections.abc import Sequence
from dataclasses import replace

from tabpo.answers.occurrences import Order, Place, behind, leftmost, place_spans
from tabpo.answers.ontology import Ontology
from tabpo.answers.render import Answer, AnswerSpan, Parsed, parse
from tabpo.answers.repairs import repair
from tabpo.answers.units import Unit
from tabpo.errors import DataError
from tabpo.records import Completion, PredictedRelation, PredictedSpan, Prediction, Relation

ITEM_CLASSES = (
    "unknown_label",
    "invalid_pair",
    "empty_span",
    "span_not_in_text",
    "dangling_relation",
    "self_relation",
    "duplicate",
    "normalised_span",
    "ok",
)


def read_completions(
    completions: Sequence[Completion], units: Sequence[Unit], ontology: Ontology, source: str
) -> list[Prediction]:
    """Parse and ground generated texts; return one prediction per unit, in order.

    Args:
        completions: The generated texts.
        units: The units of the prompts.
        ontology: The ontology of the dataset.
        source: Where the completions come from, for error messages.

    Raises:
        DataError: The prompt ids of the completions are not those of the units in the same order.
    """
    asked, given = [unit.prompt_id for unit in units], [item.prompt_id for item in completions]
    if asked != given:
        missing, unknown = sorted(set(asked) - set(given)), sorted(set(given) - set(asked))
        raise DataError(
            f"{source}: {len(given)} completions do not answer the {len(asked)} prompts one by one, in order;"
            f" without completion: {missing[:3]}, without prompt: {unknown[:3]}"
        )
    return [read_answer(item.completion, unit, ontology) for item, unit in zip(completions, units, strict=True)]


def read_answer(text: str, unit: Unit, ontology: Ontology) -> Prediction:
    """Parse and ground one answer; the prediction of an unreadable answer has its class and no items."""
    parsed = parse(text, ontology.answer, clusters=_has_clusters(unit, ontology))
    return _prediction(parsed, unit, ontology, leftmost)


def read_repaired(text: str, unit: Unit, ontology: Ontology) -> tuple[str, Prediction]:
    """Repair, parse and ground one answer; return the repair that was needed, and the prediction."""
    done, parsed = repair(text, ontology.answer, clusters=_has_clusters(unit, ontology))
    return done, _prediction(parsed, unit, ontology, leftmost)


def read_in_order(text: str, unit: Unit, ontology: Ontology) -> Prediction:
    """Parse and ground one answer whose items are in the order of the text, as prompts ask for.

    Each item takes its first free occurrence after the item before it, or the leftmost free one if there is none after
    it. For a text that occurs several times, the order tells which occurrence is meant.
    """
    parsed = parse(text, ontology.answer, clusters=_has_clusters(unit, ontology))
    return _prediction(parsed, unit, ontology, behind)


def reground_in_order(prediction: Prediction, unit: Unit, ontology: Ontology) -> Prediction:
    """Return the prediction that `read_in_order` makes of the same answer."""
    spans = tuple(AnswerSpan(span.id, span.label, span.sublabel, span.text) for span in prediction.spans)
    relations = tuple(Relation(item.head, item.tail, item.label) for item in prediction.relations)
    placed, joined, _ = _ground(Answer(spans, relations), unit, ontology, behind)
    return replace(prediction, spans=placed, relations=joined)


def _has_clusters(unit: Unit, ontology: Ontology) -> bool:
    return ontology.answer == "entities" and unit.clusters is not None


def _prediction(parsed: Parsed, unit: Unit, ontology: Ontology, order: Order) -> Prediction:
    spans, relations, groups = _ground(parsed.answer, unit, ontology, order)
    return Prediction(unit.prompt_id, parsed.answer_class, spans, relations, groups)


def ground(
    answer: Answer, unit: Unit, ontology: Ontology
) -> tuple[tuple[PredictedSpan, ...], tuple[PredictedRelation, ...], tuple[tuple[int, ...], ...]]:
    """Give each item of an answer its place in the document and its class.

    An occurrence of a span is a sequence of whole tokens ("entities") or of characters ("results", whose spans may
    begin and end inside a token); for "results", occurrences that cut no word are preferred. In the order of the
    answer, each item takes the leftmost free occurrence. A taken occurrence is taken for all other items ("entities"),
    for items with the same label (an ontology with `several_labels`), or for items with the same code and sub-code
    ("results"). Items that occur nowhere verbatim are then searched with brackets, quotes and white space normalised,
    and the remaining ones also with case folded. Both kinds become `normalised_span`. This class is a flag, not a
    fault: such items have a place and may be right.

    An item whose occurrences are all taken is a `duplicate`; it gets the leftmost occurrence, so that relations may
    still refer to it. Every item that is found has offsets, whatever its class. An unknown sub-code is an
    `unknown_label`; a sub-code of other codes is an `invalid_pair`. A relation is dangling if an end names no span of
    the answer or a span without a place, a self-relation if both ends have the same place, and a duplicate if an
    earlier `ok` relation has the same places in the same order and the same label. Clusters are returned as the answer
    has them; the module `clusters` gives their classes.
    """
    return _ground(answer, unit, ontology, leftmost)


def _ground(
    answer: Answer, unit: Unit, ontology: Ontology, order: Order
) -> tuple[tuple[PredictedSpan, ...], tuple[PredictedRelation, ...], tuple[tuple[int, ...], ...]]:
    by_token, by_label = ontology.answer == "entities", ontology.labels_share_spans
    placed = place_spans(answer.spans, unit, order, by_token=by_token, by_label=by_label)
    sublabels = {name for label in ontology.labels.values() for name in label.sublabels}
    spans = tuple(_predicted(span, placed.get(span.id), ontology, sublabels) for span in answer.spans)
    places = {span.id: (span.start, span.end) for span in spans if span.start is not None}
    return spans, _relations(answer, places, ontology), answer.clusters or ()


def _predicted(span: AnswerSpan, place: Place | None, ontology: Ontology, sublabels: set[str]) -> PredictedSpan:
    start, end = (place.start, place.end) if place else (None, None)
    item_class = _span_class(span, place, ontology, sublabels)
    return PredictedSpan(span.id, span.label, span.sublabel, span.text, start, end, item_class)


def _span_class(span: AnswerSpan, place: Place | None, ontology: Ontology, sublabels: set[str]) -> str:
    known = span.sublabel is None or span.sublabel in sublabels
    if span.label not in ontology.labels or not known:
        return "unknown_label"
    if not ontology.valid(span.label, span.sublabel):
        return "invalid_pair"
    if not span.text.strip():
        return "empty_span"
    if place is None:
        return "span_not_in_text"
    if place.repeated:
        return "duplicate"
    return "normalised_span" if place.normalised else "ok"


def _relations(answer: Answer, places: dict[int, tuple[int, int]], ontology: Ontology) -> tuple[PredictedRelation, ...]:
    relations, seen = [], set()
    for relation in answer.relations:
        head, tail = places.get(relation.head), places.get(relation.tail)
        if relation.label not in ontology.relations:
            item_class = "unknown_label"
        elif head is None or tail is None:
            item_class = "dangling_relation"
        elif head == tail:
            item_class = "self_relation"
        elif (head, tail, relation.label) in seen:
            item_class = "duplicate"
        else:
            item_class = "ok"
            seen.add((head, tail, relation.label))
        relations.append(PredictedRelation(relation.head, relation.tail, relation.label, item_class))
    return tuple(relations)
