"""Generated messages: the pairs of codes and sub-codes, the direction, and the confusable labels."""

from collections import Counter
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.generated import demo_messages
from tabpo.data.generated.demo_messages import PHRASES, generate

ONTOLOGY = Path(__file__).parents[3] / "config/ontologies/pvminer.yaml"

PUBLISHED = {
    **{"clinical care": 731, "salutation": 463, "activeParticipation/involvement": 453, "signoff": 406},
    **{"HealthCareAccessAndQuality": 303, "expressOpinions": 177, "EconomicStability": 160},
    **{"Appreciation/Gratitude": 153, "SocialAndCommunityContext": 129, "inviteCollabration": 126, "connection": 121},
    **{"SeekingApproval": 107, "alignment": 101, "maintainCommunication": 98, "NeighborhoodAndBuiltEnvironment": 91},
    **{"statePreferences": 74, "MakeDecision": 73, "checkingUnderstanding/clarification": 61, "ExploreOptions": 61},
    **{"requestsForOpinion": 39, "build trust": 37, "ShareOptions": 36, "Approval/Reinforcement": 13},
    **{"EducationAccessAndQuality": 13, "ApprovalofDecision/Reinforcement": 10},
    "acknowledgePatientExpertiseKnowledge": 1,
}
"""Table S2 of arXiv 2606.16074: PV-Miner's 4,037 annotations by sub-code."""


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


def by_sub_code(items):
    """Sum numbers by sub-code; the codebook spells clinical care in two ways."""
    sums = Counter()
    for sub_code, number in items:
        sums["clinical care" if sub_code.lower() == "clinical care" else sub_code] += number
    return sums


def test_the_weights_are_the_published_counts():
    drawn = by_sub_code(
        (segment["sub_code"], segment["weight"]) for kind in PHRASES["segments"].values() for segment in kind
    )
    without = drawn.pop("None")
    assert dict(drawn) == {name: count for name, count in PUBLISHED.items() if name not in ("salutation", "signoff")}
    assert without / (without + drawn.total()) == pytest.approx(1 / 8, abs=0.001)


def test_without_noise_sub_codes_are_as_frequent_as_published(monkeypatch):
    for noise in ("CONFUSED", "RANDOM_LABEL", "LEFT_OUT"):
        monkeypatch.setattr(demo_messages, noise, 0)
    documents = generate("train", 4000, 1)
    counts = by_sub_code((span.sublabel, 1) for document in documents for span in document.spans)
    del counts["None"]
    for name, published in PUBLISHED.items():
        share = published / 4037
        error = (share * (1 - share) / counts.total()) ** 0.5
        # Repeated texts and repeated spans are refused, which makes the frequent sub-codes a little rarer.
        assert counts[name] / counts.total() == pytest.approx(share, abs=4 * error + 0.1 * share), name
