"""Generated abstracts: their labels, relations and rules, and the words of their splits."""

from collections import Counter

import pytest

from tabpo.data.generated.demo_abstracts import WORDS, _Filler, _hidden, generate

SIZES = {"train": (2000, 1), "dev": (300, 2), "test": (300, 11)}


@pytest.fixture(scope="module")
def corpus():
    return {split: generate(split, count, seed) for split, (count, seed) in SIZES.items()}


def test_the_demo_corpus_has_its_sizes_and_its_ids(corpus):
    for split, (count, _) in SIZES.items():
        assert [document.doc_id for document in corpus[split]] == [f"{split}-{number:05d}" for number in range(count)]


def test_no_word_of_dev_or_test_is_missing_from_train(corpus):
    words = {word for document in corpus["train"] for word in document.tokens}
    assert {word for split in ("dev", "test") for document in corpus[split] for word in document.tokens} <= words


def test_all_labels_and_relations_occur_and_no_type_has_more_than_half(corpus):
    labels = Counter(span.label for document in corpus["train"] for span in document.spans)
    assert set(labels) == {"Task", "Method", "Metric", "Material", "OtherScientificTerm", "Generic"}
    assert max(labels.values()) < sum(labels.values()) / 2
    relations = {relation.label for document in corpus["train"] for relation in document.relations}
    assert relations == set(WORDS["confusable"])


def test_a_mixed_noun_has_both_its_types(corpus):
    types = {
        span.label
        for document in corpus["train"]
        for span in document.spans
        if document.text[span.start : span.end].endswith(" model")
    }
    assert types == {"Method", "OtherScientificTerm"}


def test_clauses_fill_every_slot_their_relations_name():
    for _, clause, links in WORDS["patterns"]:
        slots = [word for word in clause.split() if word.startswith("{")]
        assert all(slot[1:-1] in WORDS["slots"] for slot in slots)
        for link in filter(None, links.split(", ")):
            head, label, tail = link.split()
            assert {int(head), int(tail)} <= set(range(len(slots)))
            assert label.startswith("?") or label in WORDS["confusable"]


@pytest.mark.parametrize(
    ("rule", "head", "tail", "label"),
    [
        ("property", ("noise", "OtherScientificTerm"), ("parsing", "Task"), "FEATURE-OF"),
        ("property", ("features", "OtherScientificTerm"), ("parsing", "Task"), "USED-FOR"),
        ("other_is_part", ("features", "OtherScientificTerm"), ("parser", "Method"), "PART-OF"),
        ("other_is_part", ("filter", "Method"), ("parser", "Method"), "USED-FOR"),
        ("same_is_hyponym", ("corpus", "Material"), ("dataset", "Material"), "HYPONYM-OF"),
        ("same_is_hyponym", ("motion", "OtherScientificTerm"), ("video", "Material"), "PART-OF"),
        ("same_is_compared", ("parser", "Method"), ("tagger", "Method"), "COMPARE"),
        ("same_is_compared", ("parser", "Method"), ("motion", "OtherScientificTerm"), "CONJUNCTION"),
        ("method_is_evaluated", ("recall", "Metric"), ("parser", "Method"), "EVALUATE-FOR"),
        ("method_is_evaluated", ("recall", "Metric"), ("motion", "OtherScientificTerm"), "FEATURE-OF"),
    ],
)
def test_rules_for_relation_labels_by_the_types_of_the_mentions(rule, head, tail, label):
    fillers = [_Filler(noun, noun, kind, kind) for noun, kind in (head, tail)]
    assert _hidden(rule, *fillers) == label
