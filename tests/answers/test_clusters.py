import pytest

from tabpo.answers.clusters import CLUSTER_CLASSES, cluster_classes, mention_sets
from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology
from tabpo.answers.render import gold_answer, parse, render
from tabpo.answers.units import document_units
from tabpo.data.readers.scierc import read_documents
from tabpo.records import Document

SCIENCE = Ontology("entities", {"Task": Label("", {})}, {})
TEXT = "a b c a"  # characters 0, 2, 4 and 6


def read(clusters):
    """An answer with spans a (0), b (2), c (4), z (nowhere), a (6) and a again (a duplicate, placed at 0)."""
    unit = document_units(Document("d", None, TEXT, tuple(TEXT.split()), ((0, 4),), ()), "document")[0]
    spans = ",".join(f'{{"id":{n},"label":"Task","span":"{text}"}}' for n, text in enumerate("abczaa", start=1))
    return read_answer(f'{{"entities":[{spans}],"relations":[],"coreference":{clusters}}}', unit, SCIENCE)


A, B, C, LAST = (0, 1), (2, 3), (4, 5), (6, 7)


@pytest.mark.parametrize(
    ("clusters", "classes", "sets"),
    [
        ([], [], []),
        ([[1, 2], [3, 5]], ["ok", "ok"], [{A, B}, {C, LAST}]),
        ([[2, 1, 2]], ["ok"], [{A, B}]),
        ([[1]], ["single_mention"], []),
        ([[]], ["single_mention"], []),
        ([[1, 6]], ["single_mention"], []),  # both are placed at the first a
        ([[1, 5]], ["ok"], [{A, LAST}]),
        ([[1, 4]], ["dangling_mention"], [{A, 4}]),
        ([[1, 9, 2]], ["dangling_mention"], [{A, 9, B}]),
        ([[9]], ["dangling_mention"], []),
        ([[1, 2], [2, 3]], ["ok", "shared_mention"], [{A, B}]),
        ([[1, 2], [2, 3, 5]], ["ok", "shared_mention"], [{A, B}, {C, LAST}]),
        ([[1], [1, 2]], ["single_mention", "shared_mention"], []),
        ([[4, 9], [4, 1]], ["dangling_mention", "dangling_mention"], [{4, 9}]),
    ],
)
def test_classes_and_sets(clusters, classes, sets):
    prediction = read(clusters)
    assert prediction.clusters == tuple(map(tuple, clusters))
    assert cluster_classes(prediction) == classes
    assert set(classes) <= set(CLUSTER_CLASSES)
    assert mention_sets(prediction) == sets


@pytest.mark.parametrize(("split", "clusters"), [("train", 719), ("dev", 100), ("test", 195)])
def test_gold_documents_go_through_text_and_back(data_root, split, clusters):
    units = [document_units(item, "document")[0] for item in read_documents(data_root / "scierc" / f"{split}.json")]
    for unit in units:
        parsed = parse(render(gold_answer(unit), "entities"), "entities", clusters=True)
        assert (parsed.answer_class, parsed.answer) == ("ok", gold_answer(unit))
    # one of the 720 clusters of train lists a single mention twice and is dropped
    assert sum(len(unit.clusters) for unit in units) == clusters
