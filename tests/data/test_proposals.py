"""The proposal table: weights by hand for every mode, the mix of kinds, and what is refused."""

import pytest

from tabpo.data.ambiguities import Ambiguity
from tabpo.data.ontology import Label, Ontology, RelationType
from tabpo.data.proposals import Proposals
from tabpo.errors import ConfigError, DataError
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
PATTERNS = [Ambiguity("label", "A", "C", 4.0, "", ""), Ambiguity("label", "B", "A", 1.0, "", "")]
E = 5 / 22


def weights(mode, gold, valid, smoothing=2.0, kind="label"):
    targets = Proposals(mode, smoothing, COUNTS, PATTERNS, ENTITIES).targets(kind, gold, valid)
    return {(target.wrong, target.source): target.weight for target in targets}


def test_uniform():
    assert weights("uniform", "A", ("B", "C")) == {("B", "uniform"): 0.5, ("C", "uniform"): 0.5}


def test_empirical():
    # (3 + 2 E / 2) / 12 for B, (1 + 2 E / 2) / 12 for C, each split by what proposed it
    assert weights("empirical", "A", ("B", "C")) == pytest.approx(
        {
            ("B", "empirical"): 3 / 12,
            ("C", "empirical"): 1 / 12,
            ("B", "uniform"): E / 12,
            ("C", "uniform"): E / 12,
        }
    )


def test_mixed_smooths_towards_the_patterns():
    assert weights("mixed", "A", ("B", "C")) == pytest.approx(
        {("B", "empirical"): 3 / 12, ("C", "empirical"): 1 / 12, ("C", "expert"): 2 * E / 12}
    )
    # C has no pattern and no case: n = 0, so the pooled error rate, uniformly
    assert weights("mixed", "C", ("A", "B")) == pytest.approx({("A", "uniform"): E / 2, ("B", "uniform"): E / 2})


def test_expert():
    assert weights("expert", "A", ("B", "C")) == {("C", "expert"): 4.0, ("B", "uniform"): 1.0, ("C", "uniform"): 1.0}


def test_only_valid_values_are_proposed():
    assert set(weights("mixed", "A", ("B",))) == {("B", "empirical"), ("B", "uniform")}
    assert weights("empirical", "A", ()) == {}


def test_without_smoothing_only_what_was_seen():
    seen = {("B", "empirical"): 3 / 10, ("C", "empirical"): 1 / 10}
    assert weights("empirical", "A", ("B", "C"), smoothing=0.0) == pytest.approx(seen)
    assert weights("empirical", "C", ("A", "B"), smoothing=0.0) == {}
    assert weights("expert", "C", ("A", "B"), smoothing=0.0) == {}


def test_mix_follows_the_errors():
    # errors: label 4, boundary 2, missed 0, spurious 0, relation label 0, direction 0, missed 5, spurious 0; + 1 each
    mix = Proposals("mixed", 1.0, COUNTS, PATTERNS, ENTITIES).mix
    assert mix == pytest.approx(
        {
            "label": 5 / 19,
            "boundary": 3 / 19,
            "missed": 1 / 19,
            "spurious": 1 / 19,
            "relation_label": 1 / 19,
            "relation_direction": 1 / 19,
            "relation_missed": 6 / 19,
            "relation_spurious": 1 / 19,
        }
    )


def test_mix_of_patterns_and_uniform():
    expert = Proposals("expert", 0.5, COUNTS, PATTERNS, ENTITIES).mix
    assert expert["label"] == pytest.approx(5.5 / 9)
    assert expert["missed"] == pytest.approx(0.5 / 9)
    assert set(Proposals("uniform", 0.0, [], [], ENTITIES).mix.values()) == {1 / 8}
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
        Proposals("mixed", 1.0, [row], [], ENTITIES)


def test_unknown_values_are_no_targets():
    rows = [confusion("label", "A", "UNKNOWN", 5), confusion("label", "A", "B", 1)]
    targets = Proposals("empirical", 0.0, rows, [], ENTITIES).targets("label", "A", ("B", "C"))
    assert [(target.wrong, target.weight) for target in targets] == [("B", pytest.approx(1 / 6))]


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="confusions is 'mixd'; accepted: expert, empirical, mixed, uniform"):
        Proposals("mixd", 1.0, COUNTS, [], ENTITIES)
    with pytest.raises(ConfigError, match="smoothing"):
        Proposals("mixed", -1.0, COUNTS, [], ENTITIES)
    with pytest.raises(DataError, match="nothing to draw from"):
        Proposals("empirical", 0.0, [confusion("label", "A", "A", 9)], [], ENTITIES)
