"""A study of preferences is resolved, or refused with one message about a setting that it cannot have."""

import pytest

from tabpo.errors import ConfigError
from tabpo.study import jobs as job
from tabpo.study.jobs import run_figures
from tabpo.study.resolve import resolve_study
from tests.study.test_resolve import KNOWN, load

ENTRY = {"source": "preferences", "folder": "own", "max_prompt_tokens": 64, "max_completion_tokens": 64}
TABLE = {"caption": "Ours.", "datasets": ["ours"], "metrics": ["reward_accuracy"]}


@pytest.fixture
def study() -> dict:
    return load("demo") | {
        "datasets": {"ours": dict(ENTRY)},
        "pairings": {"given": {"confusions": "given"}},
        "methods": {"dpo": {}, "tab_po": {}},
        "tables": {"ours": dict(TABLE)},
    }


def refusal(config: dict) -> str:
    with pytest.raises(ConfigError) as error:
        resolve_study(config, KNOWN)
    return str(error.value)


def test_all_methods_train_on_given_pairs_and_no_row_needs_labels(study):
    resolved = resolve_study(study, KNOWN)
    assert {method["pairing"] for method in resolved.methods.values()} == {"given"}
    assert resolved.datasets["ours"]["private"] and resolved.pairings["given"]["heldout"] is None
    table = job.table_settings(resolved, "ours")
    assert table["rows"] == ["sft", "dpo", "tab_po"]
    assert {run["method"] for run in table["runs"]} == {"sft", "dpo", "tab_po"}
    assert job.audits(resolved) == [f"ours/tiny/pairs/given/seed{seed}.md" for seed in study["seeds"]]
    assert run_figures(resolved) == ["figures/training/ours/tiny.svg"]
    assert job.generation_settings(resolved, "ours", "tiny")["unit"] is None  # answers can be requested all the same


def test_requested_answers_may_use_vllm_and_captions_do_not_name_it(study):
    study["generation"]["engine"] = "vllm"
    resolved = resolve_study(study, KNOWN)
    assert job.generation_settings(resolved, "ours", "tiny")["engine"] == "vllm"
    assert job.table_settings(resolved, "ours")["caption"] == "Ours."
    assert "vllm" not in job.metric_settings(resolved, "reward_accuracy")["caption"]


def test_pairs_are_flipped_by_a_pairing_with_flip_rate(study):
    study["pairings"]["noisy"] = {"confusions": "given", "flip_rate": 0.2}
    study["methods"]["dpo"] = {"pairing": "noisy"}
    resolved = resolve_study(study, KNOWN)
    assert job.pairing_settings(resolved, "ours", "noisy", "1")["flip_rate"] == 0.2
    assert job.held_out_pair_settings(resolved, "ours")["flip_rate"] == 0.0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ("datasets", "theirs"),
            {"source": "scierc", "unit": "sentence", "prompt": "bare", "ontology": "scierc"},
            "datasets.ours has preferences, datasets.theirs has annotations; accepted: a study for each",
        ),
        (
            ("pairings", "mixed"),
            {"confusions": "on_policy"},
            "pairings.mixed.confusions is on_policy, but datasets.ours has preferences, which are pairs already;"
            " accepted: given",
        ),
        (("pairings", "given"), {"confusions": "given", "edits": 1}, "confusions given takes exactly: confusions"),
        (("methods", "dpo"), {"pairing": "mixed"}, "methods.dpo.pairing names mixed; pairings has: given"),
        (
            ("methods", "tab_po"),
            {"params": {"gate_fields": "schema"}},
            "methods.tab_po.params.gate_fields is schema, but datasets.ours has preferences, whose answers have no"
            " labels and spans; accepted: all",
        ),
        (("methods", "tab_po_code"), {}, "methods.tab_po_code.params.label_weight is 1.1, but datasets.ours"),
        (
            ("tables", "ours"),
            TABLE | {"tests": {"against": "dictionary"}},
            "tables.ours.tests.against is dictionary, but datasets.ours has preferences; accepted: sft, or a method",
        ),
        (
            ("tables", "ours"),
            TABLE | {"metrics": ["ner_strict"]},
            "tables.ours.metrics names ner_strict; ours has: reward_accuracy, ranking_accuracy, reward_margin",
        ),
        (
            ("generation", "constraint"),
            "json_schema",
            "generation.constraint is json_schema, but datasets.ours has preferences, whose answers have no labels;"
            " accepted: none",
        ),
        (
            ("training", "preference"),
            {"stop_collapsed": True},
            "models.tiny with dpo: stop_collapsed is true, but datasets.ours has preferences, whose evaluation"
            " generates no answers that could collapse; accepted: false",
        ),
        (
            ("models", "hosted"),
            {"endpoint": {"url": "http://localhost:1/v1", "model": "m"}},
            "models.hosted.endpoint gives no log-probs of answers, and datasets.ours has preferences",
        ),
        (("datasets", "ours"), ENTRY | {"unit": "document"}, "datasets.ours has an unknown key unit"),
        (("datasets", "ours"), {"source": "preferences"}, "datasets.ours lacks the key folder: A folder of your own"),
    ],
)
def test_what_preferences_cannot_be_used_with_is_refused(study, path, value, message):
    limits = {"max_prompt_tokens": 64, "max_completion_tokens": 64} if path[-1] == "theirs" else {}
    study[path[0]][path[1]] = value | limits if limits else value
    assert message in refusal(study)


def test_given_pairs_are_for_preferences_alone():
    demo = load("demo")
    demo["pairings"]["given"] = {"confusions": "given"}
    assert refusal(demo) == "pairings.given: confusions given is for datasets of the source preferences alone"
