"""Generated messages: the pairs of codes and sub-codes, the direction, and the confusable labels."""

from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.generated.demo_messages import PHRASES, generate

ONTOLOGY = Path(__file__).parents[3] / "config/ontologies/pvminer.yaml"


@pytest.fixture(scope="module")
def corpus():
    sizes = {"train": (2000, 1), "dev": (250, 2), "test": (250, 11)}
    return {split: generate(split, count, seed) for split, (count, seed) in sizes.items()}


@pytest.fixture(scope="module")
def ontology():
    return read_ontology(ONTOLOGY)


def test_the_codebook_has_8_codes_36_pairs_and_26_named_sub_codes(ontology):
    pairs = [(code, sub_code) for code, label in ontology.labels.items() for sub_code in label.sublabels]
    assert (len(ontology.labels), len(pairs)) == (8, 36)
    # "Clinical care" and "Clinical Care" are one sub-code in two spellings; None is none
    assert len({sub_code.lower() for _, sub_code in pairs} - {"none"}) == 26


def test_every_pair_of_the_codebook_is_in_train_and_nothing_else_anywhere(corpus, ontology):
    pairs = {(code, sub_code) for code, label in ontology.labels.items() for sub_code in label.sublabels}
    seen = {split: {(s.label, s.sublabel) for d in corpus[split] for s in d.spans} for split in corpus}
    assert seen["train"] == pairs
    assert seen["dev"] | seen["test"] <= pairs


def test_direction_is_in_text_and_attribute_and_limits_the_codes(corpus):
    wrong_side = {"N": "Provider", "Y": "Patient"}
    for document in corpus["train"]:
        (name, direction), *_ = document.attributes
        assert name == "TO_PAT_YN"
        assert document.text.startswith(f"TO_PAT_YN: {direction} | ")
        assert not any(span.label.endswith(wrong_side[direction]) for span in document.spans)
    patients = sum(document.attributes[0][1] == "N" for document in corpus["train"])
    assert patients / 2000 == pytest.approx(2 / 3, abs=0.05)


def test_no_word_of_dev_or_test_is_missing_from_train(corpus):
    words = {word for document in corpus["train"] for word in document.tokens}
    assert {word for split in ("dev", "test") for document in corpus[split] for word in document.tokens} <= words


def test_sixteen_confusable_kinds_each_with_another_kind_of_its_direction():
    count = 0
    for segments in PHRASES["segments"].values():
        kinds = {(segment["code"], segment["sub_code"]) for segment in segments}
        partners = {
            (segment["code"], segment["sub_code"]): tuple(segment["confused_with"])
            for segment in segments
            if "confused_with" in segment
        }
        assert all(kind != partner for kind, partner in partners.items()) and set(partners.values()) <= kinds
        count += len(partners)
    assert count == 16
