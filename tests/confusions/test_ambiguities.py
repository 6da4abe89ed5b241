"""Expert patterns: the shipped files, and refusals."""

from itertools import permutations
from pathlib import Path

import pytest
import yaml

from tabpo.answers.ontology import Label, Ontology, RelationType, read_ontology
from tabpo.confusions.ambiguities import KINDS, partners, read_ambiguities
from tabpo.errors import ConfigError

CONFIG = Path(__file__).parents[2] / "config"

IEPILE = "arXiv 2402.14710"
HARD_NEGATIVES = ({"FEATURE-OF", "PART-OF", "HYPONYM-OF"}, {"COMPARE", "CONJUNCTION"}, {"USED-FOR", "EVALUATE-FOR"})
"""Relations of SciERC that IEPile's dictionary lists as hard negatives of each other."""

ONTOLOGY = Ontology(
    answer="entities",
    labels={"A": Label("", {"x": "", "y": ""}), "B": Label("", {"y": "", "z": ""})},
    relations={"R": RelationType("", symmetric=False), "S": RelationType("", symmetric=True)},
)


def pattern(**changes):
    texts = {"gold": "A", "predicted": "B", "reason": "alike", "source": "ours", "guideline": "page 3"}
    return texts | {"weight": 2} | changes


def read(tmp_path, content):
    path = tmp_path / "ambiguities.yaml"
    path.write_text(yaml.safe_dump(content))
    return read_ambiguities(path, ONTOLOGY)


@pytest.mark.parametrize("name", ["scierc", "phee", "pvminer"])
def test_shipped_files_fit_their_ontologies(name):
    ontology = read_ontology(CONFIG / f"ontologies/{name}.yaml")
    patterns = read_ambiguities(CONFIG / f"ambiguities/{name}.yaml", ontology)
    assert {item.kind for item in patterns} == (
        set(KINDS) - {"sublabel"} if name == "scierc" else {"label", "sublabel"}
    )
    assert all("\n" not in item.reason and len(item.reason) > 10 for item in patterns)
    assert {item.source for item in patterns} == ({"ours", IEPILE} if name == "scierc" else {"ours"})
    assert all("arXiv" in item.guideline for item in patterns)
    golds = {item.gold for item in patterns if item.kind == "label"}
    assert len(golds) >= 6


def test_patterns_of_scierc_that_cite_iepile_are_its_hard_negatives():
    ontology = read_ontology(CONFIG / "ontologies/scierc.yaml")
    patterns = read_ambiguities(CONFIG / "ambiguities/scierc.yaml", ontology)
    cited = {(item.kind, item.gold, item.predicted) for item in patterns if item.source == IEPILE}
    assert cited == {("relation_label", *pair) for group in HARD_NEGATIVES for pair in permutations(group, 2)}


def test_a_pattern_is_read_as_written(tmp_path):
    (item,) = read(tmp_path, {"relation_direction": [pattern(gold="R", predicted="reversed", weight=0.5)]})
    assert (item.kind, item.gold, item.predicted, item.weight) == ("relation_direction", "R", "reversed", 0.5)
    assert (item.reason, item.source, item.guideline) == ("alike", "ours", "page 3")


def test_partners_share_a_label():
    assert partners("sublabel", "x", ONTOLOGY) == ["y"]
    assert partners("sublabel", "y", ONTOLOGY) == ["x", "z"]
    assert partners("relation_direction", "S", ONTOLOGY) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"label": [pattern(), pattern(gold="C")]}, "label 2: gold 'C' is not one of A, B"),
        ({"label": [pattern(predicted="A")]}, "predicted 'A' cannot stand for 'A'; accepted: B"),
        ({"sublabel": [pattern(gold="x", predicted="z")]}, "predicted 'z' cannot stand for 'x'; accepted: y"),
        ({"relation_label": [pattern(gold="R", predicted="A")]}, "accepted: S"),
        ({"relation_direction": [pattern(gold="S", predicted="reversed")]}, "accepted: none"),
        ({"relation_direction": [pattern(gold="R", predicted="R")]}, "accepted: reversed"),
        ({"label": [pattern(weight=0)]}, "positive number"),
        ({"label": [pattern(weight=True)]}, "positive number"),
        ({"label": [pattern(weight=float("inf"))]}, "positive number"),
        ({"label": [pattern(reason=" ")]}, "must be texts"),
        ({"label": [pattern(weigth=1)]}, "exactly the keys gold, predicted, weight, reason, source, guideline"),
        ({"label": [pattern(), pattern(weight=3)]}, "label A B is listed more than once"),
        ({"lable": [pattern()]}, "kinds are label, sublabel, relation_label, relation_direction"),
        ([pattern()], "needs a mapping"),
        ({"label": 7}, "label needs a list of patterns"),
    ],
)
def test_refusals(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, content)


def test_unreadable_files(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_ambiguities(tmp_path / "none.yaml", ONTOLOGY)
    (tmp_path / "broken.yaml").write_text("label: [")
    with pytest.raises(ConfigError, match=r"is no YAML: .*while parsing"):
        read_ambiguities(tmp_path / "broken.yaml", ONTOLOGY)
