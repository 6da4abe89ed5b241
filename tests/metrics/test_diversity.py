"""Diversity of samples: record sets by hand, the best sample, and the counts of a file by cluster."""

import pytest

from tabpo.metrics.diversity import DIVERSITY, record_set, sample_counts
from tabpo.records import (
    ClusterCounts,
    Completion,
    Document,
    Message,
    PredictedSpan,
    Prediction,
    Prompt,
    Span,
    read_records,
    write_records,
)
from tabpo.tables.estimates import read_estimates
from tests.metrics.cases import ABC, GOLD_B, SCIENCE, prediction, unit
from workflow_scripts import diversity

UNREADABLE = Prediction("d#0", "truncated", ())


def test_order_and_ids_of_records_do_not_matter():
    turned = prediction(ABC[::-1], [(2, 1, "COMPARE"), (2, 0, "USED-FOR")])  # the same ends at their new positions
    assert record_set(prediction(ABC, GOLD_B)) == record_set(turned)


def test_labels_places_relations_and_clusters_matter():
    first = prediction(ABC, GOLD_B)
    others = [
        prediction([(0, 0, "Task"), *ABC[1:]], GOLD_B),
        prediction([(0, 1, "Method"), *ABC[1:]], GOLD_B),
        prediction(ABC, GOLD_B[:1]),
        prediction(ABC, [(1, 0, "COMPARE"), GOLD_B[1]]),
        Prediction("d#0", "ok", first.spans, first.relations, ((1, 2),)),
        UNREADABLE,
    ]
    assert len({record_set(answer) for answer in [first, *others]}) == 7


def test_spans_that_are_not_in_the_text_differ_by_their_words():
    words = [
        Prediction("d#0", "ok", (PredictedSpan(1, "Task", None, text, None, None, "span_not_in_text"),))
        for text in ("x", "y", "x")
    ]
    assert len({record_set(answer) for answer in words}) == 2


def test_counts_by_hand():
    # gold: Method a, Method b, Task c; samples: all three right; one right of two; unreadable twice
    samples = [prediction(ABC), prediction([(0, 0, "Method"), (1, 1, "Task")]), UNREADABLE, UNREADABLE]
    assert sample_counts(unit(ABC), samples, SCIENCE) == {
        "distinct": (3, 4, 3, 4),
        "sampled_f1": (4, 5, 4, 12),
        "oracle_f1": (3, 3, 3, 3),
    }


def test_the_best_answer_to_empty_gold_is_empty():
    samples = [prediction([(0, 0, "Task")]), prediction([])]
    assert sample_counts(unit([]), samples, SCIENCE)["oracle_f1"] == (0, 0, 0, 0)


ANSWERS = {
    "right": '{"entities":[{"id":1,"label":"Task","span":"%s"}],"relations":[]}',
    "label": '{"entities":[{"id":1,"label":"Method","span":"%s"}],"relations":[]}',
    "cut": '{"entities":[{"id":1,',
}


def test_the_program_counts_the_samples_of_each_cluster(tmp_path):
    documents = [
        Document(name, None, f"{name} b", (name, "b"), ((0, 2),), (Span(1, "Task", None, 0, 1),)) for name in "xyz"
    ]
    prompts = [Prompt(f"{name}#0", name, (Message("user", ""),), "") for name in "xyz"]
    drawn = {"x": ("right", "right", "label"), "y": ("label", "cut", "right"), "z": ("cut", "cut", "cut")}
    samples = [
        Completion(f"{name}#0", ANSWERS[kind].replace("%s", name), 9, True) for name in "xyz" for kind in drawn[name]
    ]
    ontology = tmp_path / "ontology.yaml"
    ontology.write_text(
        "answer: entities\nlabels: {Task: {definition: t}, Method: {definition: m}}\n"
        "relations: {USES: {definition: u, symmetric: false}}\n"
    )
    write_records(tmp_path / "samples.parquet", Completion, samples)
    write_records(tmp_path / "prompts.parquet", Prompt, prompts)
    write_records(tmp_path / "documents.parquet", Document, documents)
    output = tmp_path / "counts.parquet"
    files = {name: tmp_path / f"{name}.parquet" for name in ("samples", "prompts", "documents")}
    arguments = {**files, "ontology": ontology, "output": output}
    diversity.main([word for name, path in arguments.items() for word in (f"--{name}", str(path))])
    assert {row.cluster for row in read_records(output, ClusterCounts)} == set("xyz")
    estimates = read_estimates(output, DIVERSITY)
    values = {name: float(estimates.metrics[name].whole[0]) for name in DIVERSITY}
    # distinct: 2, 3 and 1 of 3 samples; right: 3 of 5 written spans, gold 9; best: right for x and y, nothing for z
    assert values == pytest.approx(
        {"distinct": 100 * 6 / 9, "sampled_f1": 100 * 2 * 3 / (5 + 9), "oracle_f1": 100 * 2 * 2 / (2 + 3)}
    )
    assert estimates.metrics["distinct"].without[0] == pytest.approx([100 * 4 / 6, 50, 100 * 5 / 6])
