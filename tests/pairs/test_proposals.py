"""The proposal table: hand-worked weights of every mode, the mix of kinds, and refusals."""

import pytest

from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.confusions.ambiguities import Ambiguity
from tabpo.errors import ConfigError, DataError
from tabpo.pairs.proposals import Proposals, proposal_tables
from tabpo.records import Confusion

ENTITIES = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in "ABC"},
    relations={"R": RelationType("", symmetric=False), "S": RelationType("", symmetric=True)},
)
RESULTS = Ontology(answer="results", labels={"X": Label("", {"a": "", "b": ""})}, relations={})


def confusion(kind, gold, predicted, count):
    return Confusion(kind, gold, predicted, count, 0.0, 0.0, 0.0)


# A: 6 right, 3 as B, 1 as C; B: 10 right. So 4 errors in 20 cases: e = 5/22
COUNTS = [
    confusion("label", "A", "A", 6),
    confusion("label", "A", "B", 3),
    confusion("label", "A", "C", 1),
    confusion("label", "B", "B", 10),
    confusion("boundary", "A", "exact", 8),
    confusion("boundary", "A", "shortened", 2),
    confusion("relation_direction", "R", "kept", 7),
    confusion("relation_missed", "R", "R", 5),
    confusion("relation_missed", "R", "NONE", 5),
]
PATTERNS = [Ambiguity("label", "A", "C", 4.0, "", "", ""), Ambiguity("label", "B", "A", 1.0, "", "", "")]
E = 5 / 22


def weights(mode, gold, valid, smoothing=2.0, kind="label"):
    targets = Proposals(mode, smoothing, COUNTS, PATTERNS, ENTITIES).targets(kind, gold, valid)
    return {(target.wrong, target.source): target.weight for target in targets}


def test_uniform():
    assert weights("uniform", "A", ("B", "C")) == {("B", "uniform"): 0.5, ("C", "uniform"): 0.5}


def test_empirical():
    # (3 + 2 E / 2) / 12 for B, (1 + 2 E / 2) / 12 for C, each split by source
    assert weights("empirical", "A", ("B", "C")) == pytest.approx(
        {
            ("B", "empirical"): 3 / 12,
            ("C", "empirical"): 1 / 12,
            ("B", "uniform"): E / 12,
            ("C", "uniform"): E / 12,
        }
    )


def test_a_value_without_cases_has_the_pooled_error_rate():
    assert weights("empirical", "C", ("A", "B")) == pytest.approx({("A", "uniform"): E / 2, ("B", "uniform"): E / 2})


def tables(share=0.4, smoothing=2.0, patterns=PATTERNS, mode="mixed"):
    settings = {"confusions": mode, "smoothing": smoothing, "expert_share": share}
    return proposal_tables(settings, COUNTS, patterns, ENTITIES, links=False)


def test_mixed_has_patterns_and_counts_in_the_stated_shares():
    (expert_share, expert), (empirical_share, empirical) = tables()
    assert (expert_share, empirical_share) == (0.4, 0.6)
    assert {kind for kind, share in expert.mix.items() if share} == {"label"}
    targets = [(item.wrong, item.weight, item.source) for item in expert.targets("label", "A", ("B", "C"))]
    assert targets == [("C", 4.0, "expert")]
    assert empirical.mix == Proposals("empirical", 2.0, COUNTS, PATTERNS, ENTITIES).mix
    [(whole, alone)] = tables(mode="uniform")
    assert (whole, alone.mix["label"]) == (1.0, 1 / 9)


def test_mixed_without_patterns_has_counts_only():
    [(share, empirical)] = tables(patterns=[])
    assert (share, empirical.mix) == (1.0, tables()[1][1].mix)
    [(share, expert)] = tables(share=1.0)
    assert (share, expert.mix) == (1.0, tables()[0][1].mix)


def test_expert():
    assert weights("expert", "A", ("B", "C")) == {("C", "expert"): 4.0, ("B", "uniform"): 1.0, ("C", "uniform"): 1.0}


def test_only_valid_values_are_proposed():
    assert set(weights("empirical", "A", ("B",))) == {("B", "empirical"), ("B", "uniform")}
    assert weights("empirical", "A", ()) == {}


def test_without_smoothing_only_counted_errors_are_proposed():
    seen = {("B", "empirical"): 3 / 10, ("C", "empirical"): 1 / 10}
    assert weights("empirical", "A", ("B", "C"), smoothing=0.0) == pytest.approx(seen)
    assert weights("empirical", "C", ("A", "B"), smoothing=0.0) == {}
    assert weights("expert", "C", ("A", "B"), smoothing=0.0) == {}


def test_mix_follows_the_errors():
    # errors: label 4, boundary 2, relation missed 5, the others 0; + 1 each
    mix = Proposals("empirical", 1.0, COUNTS, PATTERNS, ENTITIES).mix
    assert mix == pytest.approx(
        {
            "label": 5 / 20,
            "boundary": 3 / 20,
            "missed": 1 / 20,
            "spurious": 1 / 20,
            "relation_label": 1 / 20,
            "relation_direction": 1 / 20,
            "relation_endpoint": 1 / 20,
            "relation_missed": 6 / 20,
            "relation_spurious": 1 / 20,
        }
    )


def test_mix_of_patterns_and_uniform():
    expert = Proposals("expert", 0.5, COUNTS, PATTERNS, ENTITIES).mix
    assert expert["label"] == pytest.approx(5.5 / 9.5)
    assert expert["missed"] == pytest.approx(0.5 / 9.5)
    assert set(Proposals("uniform", 0.0, [], [], ENTITIES).mix.values()) == {1 / 9}
    assert set(Proposals("uniform", 0.0, [], [], RESULTS).mix) == {
        "label",
        "sublabel",
        "boundary",
        "missed",
        "spurious",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (confusion("label", "A", "D", 1), "label 'A' -> 'D' is not of this ontology; it has A, B, C"),
        (confusion("label", "R", "A", 1), "label 'R' -> 'A'"),
        (confusion("relation_label", "R", "A", 1), "it has R, S"),
        (confusion("sublabel", "a", "b", 1), "sublabel 'a' -> 'b'"),
    ],
)
def test_a_table_of_another_ontology_is_refused(row, message):
    with pytest.raises(DataError, match=message):
        Proposals("empirical", 1.0, [row], [], ENTITIES)


def test_links_are_a_kind_where_answers_state_them():
    rows = [*COUNTS, confusion("coreference", "A", "moved", 3), confusion("coreference", "NONE", "NONE", 8)]
    proposals = Proposals("empirical", 0.0, rows, [], ENTITIES, links=True)
    assert proposals.evidence["coreference"] == (3, 11)
    assert proposals.mix["coreference"] == pytest.approx(3 / 14)
    [moved] = proposals.targets("coreference", "A", ("moved", "removed"))
    assert (moved.wrong, moved.weight) == ("moved", 1.0)
    assert proposals.targets("coreference", "NONE", ("added",)) == ()
    assert "coreference" not in Proposals("empirical", 0.0, rows, [], ENTITIES).mix


def test_unknown_values_are_no_targets():
    rows = [confusion("label", "A", "UNKNOWN", 5), confusion("label", "A", "B", 1)]
    targets = Proposals("empirical", 0.0, rows, [], ENTITIES).targets("label", "A", ("B", "C"))
    assert [(target.wrong, target.weight) for target in targets] == [("B", pytest.approx(1 / 6))]


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="proposals from 'mixd'; accepted: expert, empirical, disagreement, uniform"):
        Proposals("mixd", 1.0, COUNTS, [], ENTITIES)
    with pytest.raises(ConfigError, match="smoothing"):
        Proposals("empirical", -1.0, COUNTS, [], ENTITIES)
    with pytest.raises(DataError, match="nothing to draw from"):
        Proposals("empirical", 0.0, [confusion("label", "A", "A", 9)], [], ENTITIES)
    with pytest.raises(DataError, match="there is no expert pattern and smoothing is 0"):
        Proposals("expert", 0.0, COUNTS, [], ENTITIES)
