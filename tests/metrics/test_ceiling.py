"""Gold answers, read and scored, are right except where a text occurs more often than it is annotated."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tabpo.answers.grounding import read_answer, read_in_order
from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.data.readers import phee, scierc
from tabpo.metrics.counts import total
from tabpo.metrics.scores import all_scores
from tabpo.metrics.spans import DIRECTED, ner_strict, rel

CONFIG = Path(__file__).parents[2] / "config"


def ontology_of(name):
    return read_ontology(CONFIG / "ontologies" / f"{name}.yaml")


def ceiling(documents, ontology, unit):
    units = [item for document in documents for item in document_units(document, unit)]
    predictions = [read_answer(render(gold_answer(item), ontology.answer), item, ontology) for item in units]
    assert Counter(item.answer_class for item in predictions) == {"ok": len(units)}
    assert {item.item_class for prediction in predictions for item in (*prediction.spans, *prediction.relations)} == {
        "ok"
    }
    scores = all_scores(units, predictions, {}, ontology)
    return units, {
        (metric, convention): (counts["tp"], counts["predicted"], counts["gold"])
        for metric, conventions in scores.items()
        for convention, counts in conventions.items()
        if "tp" in counts
    }


def first_occurrences(unit, texts, cuts_words):
    """Right spans {(key, start, end)} if each text takes its first occurrences, without the code under test."""
    right = set()
    for (key, text), number in texts.items():
        starts = [at for at in range(len(unit.text)) if unit.text.startswith(text, at)]
        starts.sort(key=lambda at: cuts_words(unit, at, at + len(text)))
        right |= {(key, unit.start + at, unit.start + at + len(text)) for at in starts[:number]}
    return right


def cuts_tokens(unit, start, end):
    edges = {unit.start + start, unit.start + end}
    return not edges <= {edge for offsets in unit.token_offsets for edge in offsets}


def cuts_words(unit, start, end):
    pairs = dict(enumerate(map("".join, pairwise(unit.text)), start=1))
    return any(pairs.get(at, " ").isalnum() for at in (start, end))


# (right spans, right relations) with leftmost placing and in the order of the text, gold spans, gold relations.
# Four relations of train are listed twice and count once.
SCIERC = [
    ("train", "sentence", (5542, 3166), (5582, 3204), 5598, 3215),
    ("dev", "sentence", (808, 453), (810, 453), 811, 455),
    ("test", "sentence", (1671, 963), (1682, 972), 1685, 974),
    ("test", "document", (1546, 810), (1672, 962), 1685, 974),
]


@pytest.mark.parametrize(("split", "unit", "leftmost", "in_order", "gold_spans", "gold_relations"), SCIERC)
def test_ceiling_of_scierc(data_root, split, unit, leftmost, in_order, gold_spans, gold_relations):
    documents, ontology = scierc.read_documents(data_root / "scierc" / f"{split}.json"), ontology_of("scierc")
    units, scores = ceiling(documents, ontology, unit)
    spans, relations = leftmost
    assert scores["ner_strict", "set_directed"] == (spans, gold_spans, gold_spans)
    assert scores["rel", "set_directed"] == (relations, gold_relations, gold_relations)
    predictions = [read_in_order(render(gold_answer(item), "entities"), item, ontology) for item in units]
    pairs = list(zip(units, predictions, strict=True))
    assert (total(ner_strict(*both) for both in pairs).tp, total(rel(*both, DIRECTED) for both in pairs).tp) == in_order
    assert scores["rel", "set_canonical"] == scores["rel_plus", "set_directed"] == scores["rel", "set_directed"]
    assert scores["rel_plus", "set_canonical"] == scores["rel", "set_canonical"]
    if unit == "sentence":  # count again without grounding; repeats in a sentence have equal labels
        assert spans == sum(
            len({("", span.start, span.end) for span in item.spans} & first_occurrences(item, texts, cuts_tokens))
            for item in units
            for texts in [Counter(("", answered.text) for answered in gold_answer(item).spans)]
        )


PHEE = [
    ("train", (10721, 10721), (9811, 9811), (16401, 16531, 16547), 19056, 19242),
    ("dev", (3579, 3579), (3333, 3333), (5577, 5623, 5624), 6464, 6531),
    ("test", (3550, 3550), (3434, 3434), (5619, 5662, 5665), 6511, 6566),
]


@pytest.mark.parametrize(("split", "codes", "sub_codes", "spans", "triples", "gold"), PHEE)
def test_ceiling_of_phee(data_root, split, codes, sub_codes, spans, triples, gold):
    documents = phee.read_documents(data_root / "phee" / f"{split}.json")
    units, scores = ceiling(documents, ontology_of("phee"), "document")
    assert scores["code", "set_directed"] == (codes[0], *codes)
    assert scores["sub_code", "set_directed"] == (sub_codes[0], *sub_codes)
    assert scores["span", "set_directed"] == spans
    assert scores["triple", "set_directed"] == (triples, gold, gold)
    for metric in ("code", "sub_code", "span", "semantic_label", "textual_grounding"):
        right, predicted, all_gold = scores[metric, "pv_style"]
        assert right == predicted == all_gold > 0  # without places, every gold answer is right
    assert triples == sum(
        len(
            {((span.label, span.sublabel), span.start, span.end) for span in item.spans}
            & first_occurrences(item, texts, cuts_words)
        )
        for item in units
        for texts in [Counter(((a.label, a.sublabel), a.text) for a in gold_answer(item).spans)]
    )


@pytest.mark.parametrize(
    ("dataset", "ontology", "unit"), [(demo_abstracts, "scierc", "sentence"), (demo_messages, "pvminer", "document")]
)
def test_generated_gold_is_always_right(dataset, ontology, unit):
    _, scores = ceiling(dataset.generate("test", 200, 11), ontology_of(ontology), unit)
    for right, predicted, gold in scores.values():
        assert right == predicted == gold > 0
