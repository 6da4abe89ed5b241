"""A study with trials: what is trained, which choice a run takes, and what is refused."""

from pathlib import Path

import pytest
import yaml

from tabpo.errors import ConfigError
from tabpo.losses import loss_names
from tabpo.study import jobs as job
from tabpo.study.resolve import Known, resolve_study
from tabpo.study.study import Study

CONFIG = Path(__file__).parents[2] / "config"
KNOWN = Known(
    presets=yaml.safe_load((CONFIG / "methods.yaml").read_text()),
    ontologies={"scierc": "entities", "pvminer": "results"},
    losses=loss_names(),
    revisions={},
)


@pytest.fixture
def config() -> dict:
    """One data set, two models and four methods, of which `dpo` and `tab_po` have trials."""
    config = yaml.safe_load((CONFIG / "demo_fairness.yaml").read_text())
    config["tables"] = {"abstracts": config["tables"]["abstracts"]}
    config["models"]["large"] = dict(config["models"]["tiny"])
    config["methods"] = {"dpo": {}, "tab_po": {"extra_steps": "match"}, "tab_po_tau_0.5": {}, "simpo": {}}
    tuning = {"model": "tiny", "metric": "ner_strict", "trials": 2, "methods": ["dpo", "tab_po"]}
    config["tuning"] = tuning | {"learning_rate": [0.5, 2.0], "steps": [1.0], "params": {"dpo": {"beta": [0.2]}}}
    return config


@pytest.fixture
def study(config) -> Study:
    return resolve_study(config, KNOWN)


def run(study: Study, method: str, model: str = "tiny") -> dict:
    return job.run_settings(study, "demo_abstracts", model, method, "1")


def test_a_trial_is_a_method_at_its_point(study):
    rates = [run(study, f"dpo+trial{number}")["training"]["learning_rate"] for number in (0, 1)]
    assert sorted(rates) == [5e-5, 2e-4]
    assert [run(study, f"dpo+trial{number}")["method"]["params"]["beta"] for number in (0, 1)] == [0.2, 0.2]
    assert {run(study, f"sft+trial{number}")["training"]["learning_rate"] for number in (0, 1)} == {1e-3, 4e-3}
    assert not {"choice", "match"} & run(study, "tab_po+trial0").keys()
    assert study.all_seeds() == [1, 2, 3] and ("large", "dpo+trial0") not in study.training


def test_trials_are_no_rows(study):
    assert {run["method"] for run in job.trained_runs(study)} == {"dpo", "tab_po", "tab_po_tau_0.5", "simpo"}
    assert job.cost_settings(study)["needed"] == {}


@pytest.mark.parametrize("model", ["tiny", "large"])
def test_a_run_of_each_model_takes_the_choice_of_the_tuned_model(study, model):
    folder = "results/demo_fairness/demo_abstracts/tiny/tuning"
    taken = {method: run(study, method, model).get("choice") for method in ("sft", "dpo", "tab_po_tau_0.5", "simpo")}
    assert taken == {
        "sft": f"{folder}/sft.json",
        "dpo": f"{folder}/dpo.json",
        "tab_po_tau_0.5": f"{folder}/tab_po.json",  # the method with its loss
        "simpo": None,
    }


def test_a_copy_with_label_noise_takes_the_choice_of_its_method(config):
    noise = {"kind": "noise", "caption": "x", "datasets": ["demo_abstracts"], "methods": ["dpo"], "flip_rates": [0.1]}
    study = resolve_study(config | {"tables": config["tables"] | {"noise": noise}}, KNOWN)
    assert run(study, "dpo+flip0.1")["choice"] == run(study, "dpo")["choice"]
    assert job.matched_methods(study, "tiny") == ["dpo", "tab_po", "tab_po_tau_0.5", "simpo"]


def test_a_matched_run_lists_what_it_is_compared_with(study):
    compared = run(study, "tab_po")["match"]
    assert [entry["method"]["name"] for entry in compared] == ["dpo", "tab_po", "tab_po_tau_0.5", "simpo"]
    assert compared[0]["training"] == study.training["tiny", "dpo"]
    assert job.matched_pairings(study, "tiny", "tab_po") == ["mixed"] and "match" not in run(study, "dpo")


def test_without_the_section_nothing_is_tuned(config):
    del config["tuning"]
    study = resolve_study(config, KNOWN)
    assert study.tuning is None and "choice" not in run(study, "dpo") and study.all_seeds() == [1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 3}, "tuning.trials is 3, but the grid of sft has 2 points"),
        ({"model": "small"}, "tuning.model names small"),
        ({"metric": "triple"}, "tuning.metric names triple"),
        ({"metric": "empty"}, "tuning.metric names empty"),
        ({"methods": ["dpop"]}, "tuning.methods names dpop"),
        ({"params": {"simpo": {"beta": [1.0]}}}, "tuning.params names simpo"),
        ({"learning_rate": []}, "tuning.learning_rate is []; accepted: a list, items at least 1"),
    ],
)
def test_refusals(config, changed, message):
    config["tuning"] |= changed
    with pytest.raises(ConfigError) as refused:
        resolve_study(config, KNOWN)
    assert str(refused.value).startswith(message)


def test_settings_are_not_chosen_on_data_that_gave_confusions(config):
    config["pairings"]["all"] = config["pairings"]["mixed"] | {"heldout": "dev"}
    with pytest.raises(ConfigError, match=r"tuning chooses on dev_select, but pairings\.all takes confusions from all"):
        resolve_study(config, KNOWN)
