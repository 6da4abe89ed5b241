"""Make preference pairs of a model's own answers: gold is chosen, the model's wrong answer is rejected."""

from collections.abc import Mapping, Sequence

from rapidfuzz.distance import Levenshtein

from tabpo.answers.clusters import mention_sets
from tabpo.answers.grounding import read_in_order, reground_in_order
from tabpo.answers.ontology import Ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import Unit
from tabpo.confusions.counts import states_links
from tabpo.errors import DataError
from tabpo.pairs.answer_edits import answer_edits
from tabpo.pairs.audit import Tally
from tabpo.pairs.draft import Draft, draft_answer
from tabpo.pairs.draw import Encode, Pairing, make_pair, refusal
from tabpo.records import Pair, PredictedSpan, Prediction, Relation, Span

VALID = ("ok", "normalised_span")
"""Classes of items that a rejected answer may contain."""


def on_policy_pairs(
    units: Sequence[Unit], predictions: Sequence[Prediction], pairing: Pairing, ontology: Ontology, encode: Encode
) -> tuple[list[Pair], Tally]:
    """Make one pair for each unit that the model answered wrongly, in their order, and count them.

    The rejected answer is rendered like gold, so that the two answers differ only in content. Items that no valid
    answer can hold (an unknown label, a span that is not in the text, a relation with such an end) are left out, and
    the pair is then counted as repaired. An answer makes no pair if it cannot be read, is right after this repair, or
    is too long.

    Raises:
        DataError: The predictions are not for these units in their order, or no unit allows a pair.
    """
    if [unit.prompt_id for unit in units] != [prediction.prompt_id for prediction in predictions]:
        raise DataError(f"{len(predictions)} predictions do not answer the {len(units)} prompts one by one, in order")
    tally = Tally(negatives=1, edits_wanted=1)
    pairs = []
    for unit, prediction in zip(units, predictions, strict=True):
        gold = render(gold_answer(unit), ontology.answer)
        rejected = _repaired(unit, reground_in_order(prediction, unit, ontology), ontology)
        wrong = render(draft_answer(rejected), ontology.answer)
        gold_ids, ids = encode(gold), encode(wrong)
        edits = answer_edits(gold, wrong, *(read_in_order(text, unit, ontology) for text in (gold, wrong)))
        if prediction.answer_class != "ok":
            reason = "unreadable"
        elif len(gold_ids) >= pairing.max_completion_tokens:
            reason = "gold over max_completion_tokens"
        else:
            reason = refusal(gold, gold_ids, wrong, ids, set(), pairing) if edits else "equal"
        if reason:
            tally.refusals[reason] += 1
            tally.without_pair[reason] += 1
            continue
        tally.repaired += any(item.item_class not in VALID for item in (*prediction.spans, *prediction.relations))
        distance = Levenshtein.distance(gold_ids, ids)
        pair = make_pair(unit.prompt_id, 0, gold, wrong, edits, distance, pairing)
        pairs.append(pair)
        tally.add(pair, [edit.operator for edit in edits], max(len(gold_ids), len(ids)))
    if not pairs:
        raise DataError(
            f"pairing {pairing.name}: none of {len(units)} answers makes a pair: {', '.join(tally.refusals)}"
        )
    return pairs, tally


def _repaired(unit: Unit, prediction: Prediction, ontology: Ontology) -> Draft:
    """Return the valid items of an answer as a draft of the unit.

    Symmetric relations get the direction that they have in gold.
    """
    spans = _placed(unit, prediction)
    place = {span.id: (span.start, span.end) for span in spans}
    gold_place = {span.id: (span.start, span.end) for span in unit.spans}
    gold = {(gold_place[item.head], gold_place[item.tail], item.label) for item in unit.relations}
    relations = []
    for item in prediction.relations:
        if item.item_class not in VALID or not {item.head, item.tail} <= set(place):
            continue
        ends = (item.head, item.tail)
        if ontology.relations[item.label].symmetric and (place[item.tail], place[item.head], item.label) in gold:
            ends = (item.tail, item.head)
        relations.append(Relation(*ends, item.label))
    clusters = _links(prediction, place) if states_links(unit, ontology) else unit.clusters
    return Draft(unit=unit, spans=spans, relations=tuple(relations), clusters=clusters)


def _placed(unit: Unit, prediction: Prediction) -> tuple[Span, ...]:
    """Return the valid spans of an answer.

    A span whose place is no gold place moves to a gold span of the same text that no other span of the answer takes.
    """
    valid = [span for span in prediction.spans if span.item_class in VALID]
    claimed = {(span.start, span.end) for span in valid}
    free = [span for span in unit.spans if (span.start, span.end) not in claimed]
    taken = {(span.start, span.end) for span in unit.spans}
    placed = []
    for span in valid:
        start, end = span.start, span.end
        same = [item for item in free if _text(unit, item) == _text(unit, span)] if (start, end) not in taken else []
        if same:
            gold_span = min(same, key=lambda item: item.label != span.label)
            free.remove(gold_span)
            start, end = gold_span.start, gold_span.end
        placed.append(Span(span.id, span.label, span.sublabel, start, end))
    return tuple(placed)


def _text(unit: Unit, span: Span | PredictedSpan) -> str:
    return unit.text[span.start - unit.start : span.end - unit.start]


def _links(prediction: Prediction, place: Mapping[int, tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Return the clusters of an answer in ids of its valid spans; each span is in one cluster at most."""
    at = {(span.start, span.end): span.id for span in prediction.spans if span.id in place}
    return tuple(tuple(at[mention] for mention in mentions if mention in at) for mentions in mention_sets(prediction))
