"""The card of a dataset: counts of each split, and what the splits have in common."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from tabpo.answers.ontology import Directions, Ontology
from tabpo.answers.units import not_asked_by_sentence
from tabpo.data.validation import COPIED_WORDS, NAMES, names
from tabpo.records import Document

GROUPS = {
    frozenset({True}): "all documents have one",
    frozenset({False}): "absent: each document is taken for a group of its own",
    frozenset({True, False}): "absent from some documents, each taken for a group of its own",
}
"""What a card says about `group_id`; the key has True if some documents have one, and False if some have none."""

NOT_ASKED = "_not_asked_by_sentence"
"""Ends the keys of a split's counts of relations and clusters that `unit: sentence` cannot ask about."""


def build_card(
    documents: Mapping[str, Sequence[Document]],
    ontology: Ontology,
    variants: Mapping[str, Mapping[str, int]],
    noticed: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Count what each split holds, and check each pair of splits for leaks. Equal documents give equal cards.

    Args:
        documents: The documents of each split.
        ontology: It defines the labels of the documents.
        variants: For each split or further file that was read, how often each spelling was corrected.
        noticed: For each of them, how often its reader passed something over or found it in an unusual place.

    Returns:
        A dict: `group_id` is a sentence, `splits` has the counts of each split by its name, `variants` is the argument,
        and `noticed` has the entries of the argument that are not empty, if there are any. `possible_names` is there if
        ids of documents or groups may be names of people; it is the list of these kinds of ids. `leaks` has what two
        splits share under the key `first-second`. A text is shared if it is equal in both splits. A run is shared if 8
        consecutive words are equal, where a word consists of letters and digits and case is ignored; each different run
        counts once.
    """
    splits = {split: _describe(items, ontology) for split, items in documents.items()}
    nonempty = {split: dict(counts) for split, counts in noticed.items() if counts}
    return {
        "group_id": groups_known(documents),
        "splits": {split: splits[split] | counts for split, counts in _not_asked(documents).items()},
        "variants": dict(variants),
        **({"noticed": nonempty} if nonempty else {}),
        **({"possible_names": kinds} if (kinds := possible_names(documents)) else {}),
        "leaks": in_common(documents),
    }


def groups_known(documents: Mapping[str, Sequence[Document]]) -> str:
    """Say in words whether all, some or no documents have a `group_id`."""
    return GROUPS[frozenset(document.group_id is not None for items in documents.values() for document in items)]


def possible_names(documents: Mapping[str, Sequence[Document]]) -> list[str]:
    """Return which ids may be names of people: "document", "group", both or neither.

    Ids such as `note_12`, `p7` and numbers have few different words. Ids that are names of people have about as many
    as there are people. So ids are listed here if they have at least two different words, and more words than half
    the number of ids. A word is a part of at least three letters between punctuation marks, without digits at its ends;
    ids in hexadecimal digits have hardly any.
    """
    kinds = []
    for kind, name in NAMES.items():
        ids = {value for items in documents.values() for value in names(items, name)}
        parts = {part.strip("0123456789").casefold() for value in ids for part in re.split(r"[\W_]+", value)}
        words = {part for part in parts if len(part) >= 3 and part.isalpha()}
        if len(words) > max(1, len(ids) / 2):
            kinds.append(kind)
    return kinds


def in_common(documents: Mapping[str, Sequence[Document]]) -> dict[str, dict[str, int]]:
    """Count the documents, groups, texts and runs of 8 words that two splits share; the keys are `first-second`."""
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
        "documents_without_spans": sum(not document.spans for document in documents),
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


def _not_asked(documents: Mapping[str, Sequence[Document]]) -> dict[str, dict[str, int]]:
    """Count for each split what prompts about single sentences leave out; what no split has is no key."""
    counts = {
        split: sum((Counter(not_asked_by_sentence(document)) for document in items), start=Counter())
        for split, items in documents.items()
    }
    kinds = [kind for kind in ("relations", "clusters") if any(split_counts[kind] for split_counts in counts.values())]
    return {
        split: {f"{kind}{NOT_ASKED}": split_counts[kind] for kind in kinds} for split, split_counts in counts.items()
    }


def not_asked(card: Mapping[str, Any], split: str) -> dict[str, int]:
    """Return from a card how many relations and clusters of a split `unit: sentence` asks nothing about."""
    counts = card["splits"][split]
    return {kind: counts.get(f"{kind}{NOT_ASKED}", 0) for kind in ("relations", "clusters")}


def _against(document: Document, directions: Directions | None) -> int:
    """Count the spans whose label the ontology does not allow for the document's value of the direction attribute."""
    if directions is None:
        return 0
    value = dict(document.attributes).get(directions.attribute)
    return sum(span.label not in directions.labels.get(value, ()) for span in document.spans)


def _nested(document: Document) -> int:
    """Count the spans that lie inside another span; spans with equal offsets are not nested."""
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
    """Count each accepted value, in the ontology's order; a value that does not occur has the count 0."""
    counts = Counter(values)
    return {name: counts[name] for name in accepted}


def _runs(documents: Sequence[Document]) -> set[tuple[str, ...]]:
    runs = set()
    for document in documents:
        words = re.findall(r"[^\W_]+", document.text.lower())
        runs.update(tuple(words[start : start + COPIED_WORDS]) for start in range(len(words) - COPIED_WORDS + 1))
    return runs
