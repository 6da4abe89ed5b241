"""List the edits that turn one readable answer into another, as `Edit` rows."""

import json
from collections.abc import Hashable, Sequence
from typing import Any

from tabpo.names import COREFERENCE
from tabpo.records import Edit, Prediction

SOURCE = "on_policy"


def answer_edits(gold: str, wrong: str, gold_read: Prediction, wrong_read: Prediction) -> tuple[Edit, ...]:
    """List the records that differ between a gold and a wrong answer.

    A record is matched by its place in the text, not by its id. A record with other labels in the same place gives
    label edits; every other difference is a deletion or an insertion. A cluster that differs is listed as a whole.

    Args:
        gold: The gold answer, as rendered.
        wrong: Another answer, as rendered.
        gold_read: The gold answer after grounding. Ground both answers in the same way, so that a repeated text means
            the same place in both.
        wrong_read: The other answer after grounding.
    """
    before, after = json.loads(gold), json.loads(wrong)
    spans = "results" if "results" in before else "entities"
    edits = _list_edits(spans, before[spans], after[spans], _span_places(gold_read), _span_places(wrong_read))
    if spans == "entities":
        places = (_relation_places(gold_read), _relation_places(wrong_read))
        edits += _list_edits("relations", before["relations"], after["relations"], *places)
        wrong_clusters = {frozenset(places) for places in _cluster_places(wrong_read)}
        gold_clusters = {frozenset(places) for places in _cluster_places(gold_read)}
        for position, places in enumerate(_cluster_places(gold_read)):
            if frozenset(places) not in wrong_clusters:
                shown = _compact(before[COREFERENCE][position])
                edits.append(Edit(COREFERENCE, f"{COREFERENCE}/{position}", shown, "", SOURCE))
        for position, places in enumerate(_cluster_places(wrong_read)):
            if frozenset(places) not in gold_clusters:
                edits.append(Edit(COREFERENCE, f"{COREFERENCE}/-", "", _compact(after[COREFERENCE][position]), SOURCE))
    return tuple(edits)


def _list_edits(
    name: str, before: Sequence[Any], after: Sequence[Any], places: Sequence[Hashable], new_places: Sequence[Hashable]
) -> list[Edit]:
    """Compare the records of one list, whose places are given beside them.

    Records with equal places and labels are paired first, then records with equal places. What is left is deleted or
    inserted.
    """
    left, new = list(range(len(before))), list(range(len(after)))
    edits = []
    for is_equal in (True, False):
        for position in list(left):
            labels = _labels(before[position])
            partner = next(
                (
                    other
                    for other in new
                    if new_places[other] == places[position] and (not is_equal or _labels(after[other]) == labels)
                ),
                None,
            )
            if partner is None:
                continue
            left.remove(position)
            new.remove(partner)
            edits += [
                Edit(_operator(name, key), f"{name}/{position}/{key}", value, _labels(after[partner])[key], SOURCE)
                for key, value in labels.items()
                if _labels(after[partner])[key] != value
            ]
    edits += [Edit("delete", f"{name}/{position}", _compact(before[position]), "", SOURCE) for position in left]
    return edits + [Edit("insert", f"{name}/-", "", _compact(after[position]), SOURCE) for position in new]


def _labels(record: dict[str, Any]) -> dict[str, str]:
    return {key: record[key] for key in ("label", "Code", "Sub-code") if key in record}


def _operator(name: str, key: str) -> str:
    if key == "Sub-code":
        return "sublabel"
    return "relation_label" if name == "relations" else "label"


def _span_places(answer: Prediction) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in answer.spans]


def _relation_places(answer: Prediction) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    place = {span.id: (span.start, span.end) for span in answer.spans}
    return [(place[relation.head], place[relation.tail]) for relation in answer.relations]


def _cluster_places(answer: Prediction) -> list[set[tuple[int, int]]]:
    place = {span.id: (span.start, span.end) for span in answer.spans}
    return [{place[mention] for mention in cluster} for cluster in answer.clusters]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
