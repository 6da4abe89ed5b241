"""The card of a dataset: what is in each split, and what splits have in common."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from tabpo.answers.ontology import Directions, Ontology
from tabpo.data.validation import COPIED_WORDS, NAMES, names
from tabpo.records import Document

GROUPS = {
    frozenset({True}): "all documents have one",
    frozenset({False}): "absent: each document is taken for a group of its own",
    frozenset({True, False}): "absent from some documents, each taken for a group of its own",
}
"""What a card says of `group_id`, by whether documents have one."""


def build_card(
    documents: Mapping[str, Sequence[Document]],
    ontology: Ontology,
    variants: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Counts of each split, and a leak check of each pair of splits; the same documents give the same card.

    Args:
        documents: By split.
        ontology: Of their labels.
        variants: By what was read, the spellings that were put right.

    Returns:
        `group_id` in words, `splits` by name, `variants`, and `leaks` by `first-second`. Texts leak when they are
        equal, runs when 8 words in a row are (letters and digits, lower-cased; different runs are counted).
    """
    return {
        "group_id": groups_known(documents),
        "splits": {split: _describe(items, ontology) for split, items in documents.items()},
        "variants": dict(variants),
        "leaks": in_common(documents),
    }


def groups_known(documents: Mapping[str, Sequence[Document]]) -> str:
    """What is known of groups, in words."""
    return GROUPS[frozenset(document.group_id is not None for items in documents.values() for document in items)]


def in_common(documents: Mapping[str, Sequence[Document]]) -> dict[str, dict[str, int]]:
    """What two splits share, by `first-second`: documents, groups, texts, and runs of 8 words."""
    runs = {split: _runs(items) for split, items in documents.items()}
    return {
        f"{first}-{second}": {
            **{f"{what}s": len(names(some, name) & names(others, name)) for what, name in NAMES.items()},
            "texts": len({item.text for item in some} & {item.text for item in others}),
            f"runs_of_{COPIED_WORDS}_words": len(runs[first] & runs[second]),
        }
        for (first, some), (second, others) in combinations(documents.items(), 2)
    }


def _describe(documents: Sequence[Document], ontology: Ontology) -> dict[str, Any]:
    spans = [span for document in documents for span in document.spans]
    relations = [relation.label for document in documents for relation in document.relations]
    clusters = [cluster for document in documents for cluster in document.clusters]
    symmetric = {name for name, relation in ontology.relations.items() if relation.symmetric}
    return {
        "documents": len(documents),
        "documents_with_group": sum(document.group_id is not None for document in documents),
        "groups": len(names(documents, NAMES["group"])),
        "sentences": sum(len(document.sentences) for document in documents),
        "tokens": sum(len(document.tokens) for document in documents),
        "spans": len(spans),
        "nested_spans": sum(map(_nested, documents)),
        "relations": len(relations),
        "symmetric_relations": sum(label in symmetric for label in relations),
        "clusters": len(clusters),
        "mentions_in_clusters": sum(map(len, clusters)),
        "characters_per_document": _lengths([len(document.text) for document in documents]),
        "tokens_per_document": _lengths([len(document.tokens) for document in documents]),
        "spans_per_document": _lengths([len(document.spans) for document in documents]),
        "labels": _histogram([span.label for span in spans], list(ontology.labels)),
        "sublabels": {
            name: _histogram([span.sublabel for span in spans if span.label == name], list(label.sublabels))
            for name, label in ontology.labels.items()
            if label.sublabels
        },
        "relation_labels": _histogram(relations, list(ontology.relations)),
        "spans_against_direction": sum(_against(document, ontology.directions) for document in documents),
    }


def _against(document: Document, directions: Directions | None) -> int:
    """How many spans have a label that documents with this value of the attribute do not have."""
    if directions is None:
        return 0
    value = dict(document.attributes).get(directions.attribute)
    return sum(span.label not in directions.labels.get(value, ()) for span in document.spans)


def _nested(document: Document) -> int:
    """How many spans lie inside another one of other offsets."""
    return sum(
        any(
            outer.start <= span.start and span.end <= outer.end and (outer.start, outer.end) != (span.start, span.end)
            for outer in document.spans
        )
        for span in document.spans
    )


def _lengths(values: Sequence[int]) -> dict[str, float]:
    return {"mean": round(sum(values) / len(values), 2), "max": max(values)}


def _histogram(values: Sequence[str | None], accepted: Sequence[str]) -> dict[str, int]:
    """Counts in the ontology's order, zeros included."""
    counts = Counter(values)
    return {name: counts[name] for name in accepted}


def _runs(documents: Sequence[Document]) -> set[tuple[str, ...]]:
    found = set()
    for document in documents:
        words = re.findall(r"[^\W_]+", document.text.lower())
        found.update(tuple(words[start : start + COPIED_WORDS]) for start in range(len(words) - COPIED_WORDS + 1))
    return found
