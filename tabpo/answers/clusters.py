"""Coreference clusters of an answer: the places of their mentions, and what is wrong with each cluster."""

from collections.abc import Hashable

from tabpo.records import Prediction

CLUSTER_CLASSES = ("dangling_mention", "single_mention", "shared_mention", "ok")


def cluster_classes(prediction: Prediction) -> list[str]:
    """Return the class of each cluster of a prediction; the first class that applies counts.

    `dangling_mention`: an id names no span of the answer, or a span that is not grounded. `single_mention`: the ids
    name fewer than two places, so nothing is linked. `shared_mention`: a place is also in an earlier cluster. The ids
    of a cluster may come in any order and repeat.
    """
    places = _places(prediction)
    classes, seen = [], set()
    for cluster in prediction.clusters:
        mentions = {places[number] for number in cluster if number in places}
        if any(number not in places for number in cluster):
            classes.append("dangling_mention")
        elif len(mentions) < 2:
            classes.append("single_mention")
        else:
            classes.append("shared_mention" if mentions & seen else "ok")
        seen |= mentions
    return classes


def mention_sets(prediction: Prediction) -> list[set[Hashable]]:
    """Return the clusters as disjoint sets of two or more mentions, which coreference metrics compare.

    A mention is the offsets (start, end) of its span. An id without a place stays a mention that equals no gold
    mention. A mention of two clusters stays in the first. Sets that then have fewer than two mentions are left out.
    """
    places = _places(prediction)
    sets, seen = [], set()
    for cluster in prediction.clusters:
        mentions = {places.get(number, number) for number in cluster} - seen
        seen |= mentions
        if len(mentions) > 1:
            sets.append(mentions)
    return sets


def _places(prediction: Prediction) -> dict[int, tuple[int, int]]:
    return {span.id: (span.start, span.end) for span in prediction.spans if span.start is not None}
