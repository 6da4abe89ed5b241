"""Files of counts give the scores of the score file, also without a cluster; a hash says which are comparable."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.errors import DataError
from tabpo.metrics.by_cluster import cluster_counts, clusters_metadata, pair_counts
from tabpo.metrics.names import METRICS
from tabpo.metrics.ranking import mean_scores, pair_scores
from tabpo.metrics.scores import score
from tabpo.records import ClusterCounts, Completion, Message, Prompt, Reference, write_records
from tabpo.tables.cells import metric_value
from tabpo.tables.estimates import read_estimates

ROOT = Path(__file__).parents[2]


def faulty(number: int, answer: str, key: str, labels: list[str]) -> str:
    """One of six sorts of answers: unreadable, repairable, empty, with a wrong label, with a spurious record, gold."""
    content = json.loads(answer)
    records = next(iter(content.values()))
    match number % 6:
        case 0:
            return answer[:-1]
        case 1:
            return f"```json\n{answer}\n```"
        case 2:
            return json.dumps({name: [] for name in content})
        case 3:
            records[0][key] = labels[0] if records[0][key] != labels[0] else labels[1]
        case 4:
            records.append(dict(records[-1], **{key: labels[2]}) | ({"id": 99} if "id" in records[-1] else {}))
    return json.dumps(content)


def made(kind: str):
    """Documents in groups of two, and the answers of a model with many faults."""
    source, name, key = {
        "entities": (demo_abstracts, "scierc", "label"),
        "results": (demo_messages, "pvminer", "Code"),
    }[kind]
    ontology = read_ontology(ROOT / f"config/ontologies/{name}.yaml")
    documents = [
        replace(document, group_id=f"group{number // 2}", clusters=(tuple(span.id for span in document.spans[:2]),))
        for number, document in enumerate(source.generate("test", 24, 1))
    ]
    units = [unit for document in documents for unit in document_units(document, "document")]
    answers = [render(gold_answer(unit), kind) for unit in units]
    labels = list(ontology.labels)
    texts = [faulty(number, answer, key, labels) for number, answer in enumerate(answers)]
    completions = [Completion(unit.prompt_id, text, 1, True) for unit, text in zip(units, texts, strict=True)]
    predictions = [read_answer(text, unit, ontology) for unit, text in zip(units, texts, strict=True)]
    return documents, units, predictions, answers, ontology, completions


def written(path: Path, documents, units, predictions, answers, ontology, completions) -> dict:
    scores, by_unit = score("test", units, predictions, answers, ontology, completions)
    counts = cluster_counts(documents, units, by_unit, predictions)
    write_records(path, ClusterCounts, counts, clusters_metadata(counts))
    return scores


@pytest.mark.parametrize("kind", ["entities", "results"])
def test_every_metric_equals_that_of_the_score_file(kind, tmp_path):
    study = made(kind)
    scores = written(tmp_path / "all", *study)
    run = read_estimates(tmp_path / "all", METRICS[kind])
    for metric in METRICS[kind]:
        assert run.metrics[metric].whole[0] == pytest.approx(metric_value(scores, metric), abs=1e-9), metric
        name, _, convention = metric.partition("@")
        counted = scores["metrics"].get(name, {}).get(convention or "set_directed", {})
        assert run.gold[metric] == counted["gold"] if "gold" in counted else run.gold[metric] > 0, metric
    assert len({round(estimates.whole[0], 3) for estimates in run.metrics.values()}) > 8


@pytest.mark.parametrize("kind", ["entities", "results"])
def test_without_a_cluster_the_score_is_that_of_the_other_clusters(kind, tmp_path):
    documents, *aligned, ontology, completions = made(kind)
    units, predictions, answers = aligned
    written(tmp_path / "all", documents, *aligned, ontology, completions)
    run = read_estimates(tmp_path / "all", METRICS[kind])
    first = sorted({document.group_id for document in documents})[3]
    names = {document.doc_id for document in documents if document.group_id == first}
    kept = [number for number, unit in enumerate(units) if unit.doc_id not in names]
    assert len(kept) == len(units) - 2
    parts = [[items[number] for number in kept] for items in (units, predictions, answers)]
    scores, _ = score("test", *parts, ontology, [completions[number] for number in kept])
    for metric in METRICS[kind]:
        assert run.metrics[metric].without[0, 3] == pytest.approx(metric_value(scores, metric), abs=1e-9), metric


def test_a_file_of_several_row_groups_has_the_same_estimates(tmp_path):
    written(tmp_path / "one", *made("entities"))
    pq.write_table(pq.read_table(tmp_path / "one"), tmp_path / "many", row_group_size=7)
    assert pq.ParquetFile(tmp_path / "many").num_row_groups > 10
    one, many = (read_estimates(tmp_path / name, METRICS["entities"]) for name in ("one", "many"))
    for metric in METRICS["entities"]:
        np.testing.assert_array_equal(one.metrics[metric].without, many.metrics[metric].without)
    assert one.gold == many.gold and one.clusters == many.clusters


def test_documents_without_a_group_are_clusters_by_themselves(tmp_path):
    documents, *rest = made("entities")
    written(tmp_path / "groups", documents, *rest)
    written(tmp_path / "alone", [replace(document, group_id=None) for document in documents], *rest)
    groups, alone = (read_estimates(tmp_path / name, ["valid"]) for name in ("groups", "alone"))
    assert (groups.metrics["valid"].without.shape, alone.metrics["valid"].without.shape) == ((1, 12), (1, 24))
    assert groups.clusters != alone.clusters


def test_the_hash_depends_on_the_clusters_only(tmp_path):
    documents, units, predictions, answers, ontology, completions = made("results")
    written(tmp_path / "faulty", documents, units, predictions, answers, ontology, completions)
    right = [read_answer(answer, unit, ontology) for answer, unit in zip(answers, units, strict=True)]
    written(tmp_path / "right", documents, units, right, answers, ontology, None)
    faulty_run, right_run = (read_estimates(tmp_path / name, ["triple"]) for name in ("faulty", "right"))
    assert faulty_run.clusters == right_run.clusters
    assert faulty_run.metrics["triple"].whole[0] < right_run.metrics["triple"].whole[0]


def test_a_metric_without_any_item_is_zero(tmp_path):
    documents, units, _, answers, ontology, _ = made("entities")
    nothing = [read_answer("", unit, ontology) for unit in units]
    written(tmp_path / "counts", documents, units, nothing, answers, ontology, None)
    run = read_estimates(tmp_path / "counts", ["valid", "ner_strict", "rel@macro_label"])
    assert all(zero.whole[0] == 0 and not zero.without.any() for zero in run.metrics.values())


def test_preferences_are_means_over_pairs_by_group(tmp_path):
    prompts = [
        Prompt(f"p/{number}", "first" if number < 3 else f"p/{number}", (Message("user", "?"),), "!")
        for number in range(6)
    ]
    policy, reference = (
        [Reference(f"p/{number}/0", (base - number, -1.0), (-number - 0.5, base / 2)) for number in range(6)]
        for base in (-1.0, -2.5)
    )
    pairs = pair_scores(policy, reference)
    counts = pair_counts(prompts, policy, pairs)
    write_records(tmp_path / "counts", ClusterCounts, counts, clusters_metadata(counts))
    run = read_estimates(tmp_path / "counts", METRICS["preferences"])
    scores = mean_scores(pairs) | {"metrics": {}}
    assert run.metrics["reward_margin"].without.shape == (1, 4)
    for metric in METRICS["preferences"]:
        assert run.metrics[metric].whole[0] == pytest.approx(metric_value(scores, metric), abs=1e-9)
    others = np.mean([pair["reward_margin"] for pair in pairs[3:]])
    assert run.metrics["reward_margin"].without[0, 0] == pytest.approx(others)


def test_a_file_without_the_hash_of_its_clusters_is_refused(tmp_path):
    write_records(tmp_path / "counts", ClusterCounts, [ClusterCounts("a", "valid", "set_directed", None, 1, 1, 1, 1)])
    with pytest.raises(DataError, match="lack the hash"):
        read_estimates(tmp_path / "counts", ["valid"])
