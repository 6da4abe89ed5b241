"""Preference pairs from a model's own answers: gold, and what the model said instead."""

from collections.abc import Mapping, Sequence

from rapidfuzz.distance import Levenshtein

from tabpo.data.answer_edits import answer_edits
from tabpo.data.answers import gold_answer, render
from tabpo.data.clusters import mention_sets
from tabpo.data.drafts import Draft, draft_answer
from tabpo.data.grounding import read_answer
from tabpo.data.ontology import Ontology
from tabpo.data.pair_audit import Tally
from tabpo.data.pairs import Encode, Pairing, make_pair, refusal
from tabpo.data.units import Unit
from tabpo.errors import DataError
from tabpo.records import Pair, Prediction, Relation, Span

VALID = ("ok", "normalised_span")
"""Classes of items that may stand in a rejected answer."""


def on_policy_pairs(
    units: Sequence[Unit], predictions: Sequence[Prediction], pairing: Pairing, ontology: Ontology, encode: Encode
) -> tuple[list[Pair], Tally]:
    """One pair of each unit that the model answered wrongly, in their order, and the tally of how they came about.

    The rejected answer is rendered as gold is, so that nothing but what it says sets the two apart. What no valid
    answer can hold (an unknown label, a span that is not in the text, a relation to one) is left out, the least repair
    there is, and the pair counts as repaired. No pair is made where the answer is unreadable, right once repaired, or
    too long.

    Raises:
        DataError: The predictions are not for these units, in their order, or no unit allows a pair.
    """
    if [unit.prompt_id for unit in units] != [prediction.prompt_id for prediction in predictions]:
        raise DataError(f"{len(predictions)} predictions do not answer the {len(units)} prompts one by one, in order")
    tally = Tally(negatives=1, edits_wanted=1)
    pairs = []
    for unit, prediction in zip(units, predictions, strict=True):
        gold = render(gold_answer(unit), ontology.answer)
        wrong = render(draft_answer(_repaired(unit, prediction, ontology)), ontology.answer)
        gold_ids, ids = encode(gold), encode(wrong)
        reason = "unreadable"
        if prediction.answer_class == "ok":
            reason = refusal(gold, gold_ids, wrong, ids, set(), pairing)
        if reason:
            tally.refusals[reason] += 1
            tally.without_pair[reason] += 1
            continue
        edits = answer_edits(gold, wrong, read_answer(gold, unit, ontology), read_answer(wrong, unit, ontology))
        tally.repaired += any(item.item_class not in VALID for item in (*prediction.spans, *prediction.relations))
        distance = Levenshtein.distance(gold_ids, ids)
        pair, is_flipped = make_pair(unit.prompt_id, 0, gold, wrong, edits, distance, pairing)
        pairs.append(pair)
        tally.add(pair, [edit.operator for edit in edits], max(len(gold_ids), len(ids)), is_flipped=is_flipped)
    if not pairs:
        raise DataError(f"pairing {pairing.name}: none of {len(units)} answers makes a pair: {dict(tally.refusals)}")
    return pairs, tally


def _repaired(unit: Unit, prediction: Prediction, ontology: Ontology) -> Draft:
    """What is valid of an answer, in the place of the unit's own annotations; symmetric relations run as in gold."""
    place = {span.id: (span.start, span.end) for span in prediction.spans if span.item_class in VALID}
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
    return Draft(
        unit=unit,
        spans=tuple(
            Span(span.id, span.label, span.sublabel, span.start, span.end)
            for span in prediction.spans
            if span.id in place
        ),
        relations=tuple(relations),
        clusters=None if unit.clusters is None else _links(prediction, place),
    )


def _links(prediction: Prediction, place: Mapping[int, tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """The clusters of an answer in ids of its valid spans, each in one cluster at most."""
    at = {extents: number for number, extents in place.items()}
    return tuple(tuple(at[mention] for mention in mentions if mention in at) for mentions in mention_sets(prediction))
