"""Evaluations on held-out answers: hand-worked rates, and drifts that equal separately computed log-probs."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import document_units
from tabpo.errors import DataError
from tabpo.losses import TokenField
from tabpo.records import Completion, Document, Message, PredictedRelation, PredictedSpan, Prediction, Prompt
from tabpo.reports.erosion_figure import CLASSES
from tabpo.scoring.collate import collate_examples
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import encode_examples
from tabpo.training.watch import CONFIDENCES, FREQUENCIES, Watch, answer_health, collapsed, common_labels, spread

ONTOLOGY = read_ontology(Path(__file__).parents[2] / "config/ontologies/scierc.yaml")
TEXT = "a parser is used for parsing of the label"


def span(item_class):
    return PredictedSpan(1, "Method", None, "a parser", 0, 8, item_class)


def test_rates_by_hand():
    completions = [Completion(f"d#{n}", "", tokens, n != 3) for n, tokens in enumerate((10, 20, 5, 65))]
    predictions = [
        Prediction("d#0", "ok", (span("ok"), span("unknown_label")), (PredictedRelation(1, 1, "x", "self_relation"),)),
        Prediction("d#1", "ok", (span("ok"),)),
        Prediction("d#2", "ok", ()),
        Prediction("d#3", "truncated", ()),
    ]
    assert answer_health(completions, predictions) == {
        "valid": 3 / 4,
        "label_valid": 3 / 4,  # two spans and a relation of the first answer, a span of the second
        "empty": 1 / 4,  # an answer that cannot be parsed does not count as empty
        "truncated": 1 / 4,
        "tokens": 25,
    }
    assert answer_health(completions[2:3], predictions[2:3])["label_valid"] == 1.0


@pytest.mark.parametrize(("prompts", "number", "kept"), [(9, 3, [0, 3, 6]), (11, 3, [0, 3, 7]), (2, 3, [0, 1])])
def test_spread(prompts, number, kept):
    assert spread(range(prompts), number) == kept


@pytest.mark.parametrize(
    ("valid", "empty", "expected"), [(0.4, 0.1, False), (0.39, 0.1, True), (0.8, 0.6, False), (0.8, 0.61, True)]
)
def test_collapsed(valid, empty, expected):
    assert collapsed({"valid": 0.8, "empty": 0.1}, {"valid": valid, "empty": empty}) is expected


def test_the_figure_of_erosion_knows_every_class():
    fields = [field.name.lower() for field in TokenField]
    assert [fields, [*FREQUENCIES.values()], [*CONFIDENCES.values()]] == [list(CLASSES[by]) for by in CLASSES]
    assert list(CLASSES) == ["field", "frequency", "confidence"]


def test_a_label_is_rare_below_half_of_an_equal_share_of_its_kind():
    entities = {
        ("Method",): 60,
        ("Task",): 40,
        ("Metric",): 11,
        ("Material",): 9,
    }  # 120 of four labels: half of 30 is 15
    relations = {("USED-FOR",): 9, ("COMPARE",): 3}  # half of 6 is 3
    common = common_labels(entities | relations, ONTOLOGY)
    assert common == {("Method",), ("Task",), ("USED-FOR",), ("COMPARE",)}
    assert common_labels({}, ONTOLOGY) == set()


@pytest.fixture
def watched(tokenizer, answer, fp32, limits):
    """Two prompts with the same gold answer; training has its entities twelve times and never its relation."""
    document = Document("d", None, TEXT, tuple(TEXT.split()), ((0, 9),), ())
    prompts = [Prompt("d", "d", (Message("user", TEXT),), answer)] * 2
    units = document_units(document, "document") * 2
    trained = [replace(prompts[0], answer=answer[: answer.index('"relations"')] + '"relations":[]}')] * 12
    limits = limits | {"max_completion_tokens": 150}
    return Watch(tokenizer, prompts, units, {"d": "patient 7"}, ONTOLOGY, trained, fp32, limits, every=5)


def test_drift_is_the_change_of_gold_log_probs_by_class(watched, make_model, tokenizer, answer, limits, fp32):
    model = make_model()
    settings = model.generation_config
    watched.evaluate_held_out(model.train(), 0)
    assert model.training and model.generation_config is settings
    start = {(row["field"], row["frequency"], row["confidence"]): row for row in watched.erosion}
    assert all(row["drift"] == 0.0 for row in start.values())

    example = encode_examples(tokenizer, [Prompt("d", "d", (Message("user", TEXT),), answer)], limits)
    batch = collate_examples(example, 0)
    before = completion_logps(model.eval(), batch, fp32)[0].tolist()
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1.1)
    watched.evaluate_held_out(model, 5)
    after = completion_logps(model, batch, fp32)[0].tolist()
    moved = [row for row in watched.erosion if row["step"] == 5]
    tokens = len(example[0].completion_ids)
    assert sum(row["tokens"] for row in moved) == 2 * tokens  # both prompts
    assert sum(row["tokens"] * row["drift"] for row in moved) == pytest.approx(2 * (sum(after) - sum(before)), abs=1e-4)
    frequencies = {(row["field"], row["frequency"]) for row in moved}  # by the label of the token's record
    assert {pair for pair in frequencies if pair[0] != "scaffolding"} == {
        *(("id", "10-99"), ("span", "10-99"), ("label", "10-99")),
        *(("link", "0"), ("label", "0")),
    }
    assert {pair[1] for pair in frequencies if pair[0] == "scaffolding"} == {"10-99", "0", "-"}
    assert {row["field"] for row in moved} == {"scaffolding", "label", "span", "link", "id"}
    assert {(row["field"], row["frequency"], row["confidence"]): row["tokens"] for row in moved} == {
        key: row["tokens"] for key, row in start.items()
    }  # classes stay those of step 0


def test_drift_by_document_is_of_the_latest_evaluation(
    watched, make_model, tokenizer, answer, limits, fp32, monkeypatch
):
    example = encode_examples(tokenizer, [Prompt("d", "d", (Message("user", TEXT),), answer)], limits)
    model = make_model().eval()
    first = completion_logps(model, collate_examples(example, 0), fp32)[0].exp()
    tau = first.median().item()  # random weights are never surer than 0.9 of a gold token
    monkeypatch.setattr("tabpo.training.watch.DEFAULT_TAU", tau)
    watched.evaluate_held_out(model, 0)
    assert {row["drift"] for row in watched.by_document} == {0.0}
    for step in (5, 10):
        with torch.no_grad():
            model.model.embed_tokens.weight.mul_(1.1)
        watched.evaluate_held_out(model, step)
    rows = watched.by_document
    assert {row["document"] for row in rows} == {"patient 7"}  # both prompts are of one document of this patient
    assert {(row["field"], row["rare"]) for row in rows if row["field"] in ("label", "link", "span")} == {
        *(("label", False), ("span", False)),  # Method and Task have twelve training records each
        *(("label", True), ("link", True)),  # USED-FOR has none
    }
    assert {row["rare"] for row in rows if row["field"] == "scaffolding"} == {False, True}
    assert sum(row["tokens"] for row in rows if row["unsure"]) == 2 * int((first < tau).sum()) > 0
    moved = [row for row in watched.erosion if row["step"] == 10]
    for field in ("scaffolding", "label", "span", "link", "id"):
        whole, parts = ([row for row in drifts if row["field"] == field] for drifts in (moved, rows))
        assert sum(row["tokens"] for row in parts) == sum(row["tokens"] for row in whole)
        summed = [sum(row["tokens"] * row["drift"] for row in drifts) for drifts in (parts, whole)]
        assert summed[0] == pytest.approx(summed[1]) and summed[0] != 0


def test_a_nan_log_prob_is_reported_with_step_and_prompt(watched, make_model):
    model = make_model()
    with torch.no_grad():
        model.model.norm.weight.fill_(math.nan)
    with pytest.raises(DataError, match=r"^held-out answers after step 5: \d+ of \d+ .* batch of records 1, 2 of"):
        watched.evaluate_held_out(model, 5)


def test_a_resumed_run_continues_the_evaluations(watched, make_model, tmp_path):
    model = make_model()
    watched.evaluate_held_out(model, 0)
    watched.write_state(tmp_path / "watch.json")
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1.1)
    watched.evaluate_held_out(model, 5)
    unbroken = watched.content
    watched.health, watched.erosion, watched.by_document, watched._first = [], [], [], []
    watched.read_state(tmp_path / "watch.json")
    watched.evaluate_held_out(model, 5)
    assert watched.content == unbroken
    assert [row["step"] for row in watched.health] == [0, 5]
    assert watched.health[0]["valid"] == 0.0 and not watched.health[0]["collapsed"]  # random weights write no JSON
