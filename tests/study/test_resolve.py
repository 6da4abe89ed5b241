"""A study is resolved, or refused with one message that says what is wrong, where, and what is accepted."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import Unit
from tabpo.errors import ConfigError
from tabpo.losses import build_loss, loss_names
from tabpo.metrics.names import HEADLINE, METRICS, VALIDITY
from tabpo.metrics.scores import all_scores
from tabpo.names import run_folders
from tabpo.records import Prediction
from tabpo.study import jobs as job
from tabpo.study.endpoint import models_without_key
from tabpo.study.jobs import run_figure_settings, run_figures
from tabpo.study.resolve import NAME, Known, resolve_study
from tabpo.study.training import DEFAULTS, training_settings

CONFIG = Path(__file__).parents[2] / "config"
KNOWN = Known(
    presets=yaml.safe_load((CONFIG / "methods.yaml").read_text()),
    ontologies={"scierc": "entities", "phee": "results", "pvminer": "results"},
    losses=loss_names(),
    revisions={"Qwen/Qwen2.5-1.5B-Instruct": "0" * 40},
)
STUDIES = (
    "config",
    "extended",
    "demo",
    "demo_full",
    "demo_fairness",
    "scierc_cpu",
    "gpu",
    "scierc_24gb",
    "scierc_smollm2",
    "scierc_smollm2_trials",
    "own_small",
)


def load(name: str) -> dict:
    return yaml.safe_load((CONFIG / f"{name}.yaml").read_text())


@pytest.fixture
def demo() -> dict:
    """The demo's study with fixed numbers, so that tests do not depend on how the demo is tuned."""
    config = load("demo")
    for dataset in config["datasets"].values():
        dataset |= {"max_prompt_tokens": 128, "max_completion_tokens": 200}
    config["models"]["tiny"]["scratch"] |= {"hidden_size": 128, "layers": 3, "heads": 2, "max_positions": 512}
    for stage in config["training"].values():
        stage |= {"batch_size": 32, "micro_batch_size": 32, "adam_beta2": 0.98}
    return config


def edit(config: dict, path: str, value: object) -> None:
    """Set the key `a/b/c` of a config; the value `None` removes an existing key."""
    *parents, last = path.split("/")
    for key in parents:
        config = config.setdefault(key, {})
    config[last] = value


def refusal(config: dict) -> str:
    with pytest.raises(ConfigError) as error:
        resolve_study(config, KNOWN)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_two_annotators_are_a_source_of_confusions_and_a_row(demo):
    custom = OWN | {"source": "custom", "folder": "own"}
    custom["second_annotator"] = {"dev": "own/second_dev.jsonl", "test": "own/second_test"}
    demo["datasets"] = {"own": custom, "single": custom | {"second_annotator": {"dev": "own/second_dev.jsonl"}}}
    demo["pairings"]["people"] = {"confusions": "disagreement", "negatives": 1, "edits": 1, "smoothing": 1.0}
    demo["methods"] = {"dpo": {"params": {"beta": 0.1}, "pairing": "people"}}
    demo["tables"] = {"main": {"caption": "All.", "datasets": ["own", "single"], "metrics": ["rel"]}}
    study = resolve_study(demo, KNOWN)
    assert study.pairings["people"]["heldout"] == "disagreement"
    table = job.table_settings(study, "main")
    assert table["rows"][-1] == "human"
    assert [run["dataset"] for run in table["runs"] if run["method"] == "human"] == ["own"]
    assert [file for file in job.audits(study) if "seed" not in file] == [
        "figures/confusions/own/disagreement.svg",
        "figures/confusions/single/disagreement.svg",
    ]


@pytest.mark.parametrize("family", ["matched", "published"])
@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_resolve_with_either_family(name, family):
    known = replace(KNOWN, ontologies=KNOWN.ontologies | {"own/labels.yaml": "entities"})  # own_small's, a user's file
    study = resolve_study(load(name) | {"presets": family}, known)
    for settings in study.training.values():
        training_settings(**settings)  # raises what the trainer would raise


def test_the_paper_is_the_design():
    study = resolve_study(load("config"), KNOWN)
    assert list(study.datasets) == ["scierc", "scierc_document", "phee"]
    assert len(study.trained_models()) == 6 and len(study.seeds) == 5
    assert [method for model, method in study.training if model == "llama-3.3-70b"] == ["sft", "dpo", "rpo", "tab_po"]
    revisions = [study.models[model]["revision"] for model in study.trained_models()]
    assert all(not revision or len(revision) == 40 for revision in revisions)
    for (_, method), training in study.training.items():
        assert training["lora"].get("merge") == (method == "sft")


def test_pvminer_joins_the_paper_once_its_folder_is_set():
    config, absent = load("config"), resolve_study(load("config"), KNOWN)
    assert "pvminer" in config["datasets"] and not {"pvminer", "pvminer_families"} & set(absent.tables)
    edit(config, "datasets/pvminer/folder", "some/where")
    present = resolve_study(config, KNOWN)
    assert list(present.datasets) == [*absent.datasets, "pvminer"] and present.datasets["pvminer"]["private"]
    assert set(present.tables) - set(absent.tables) == {"pvminer", "pvminer_families"}


def test_the_papers_prompted_models_are_off_without_a_key():
    config = load("config")
    present = resolve_study(config, KNOWN)
    assert present.prompted_models() == ["gpt-4.1", "gpt-4.1-mini"]
    variants = {name: job.ask_settings(present, "phee", "gpt-4.1")["variants"][name] for name in present.variants()}
    assert variants == {
        "zero-shot": {"demonstrations": 0, "constraint": "none"},
        "zero-shot-schema": {"demonstrations": 0, "constraint": "json_schema"},
        "5-shot": {"demonstrations": 5, "constraint": "none"},
        "5-shot-schema": {"demonstrations": 5, "constraint": "json_schema"},
    }
    for name in present.prompted_models():  # an id that names one version
        assert re.search(r"-\d{4}-\d\d-\d\d$", present.models[name]["endpoint"]["model"])
    keys = dict.fromkeys(present.prompted_models(), "TABPO_OPENAI_KEY")
    absent = resolve_study(config, replace(KNOWN, without_key=keys))
    assert list(absent.models) == present.trained_models() and list(absent.tables) == list(present.tables)
    assert "prompted" in job.table_settings(present, "scierc")["rows"]
    for table in (*absent.tables, *absent.analyses):
        assert not [run for run in job.table_settings(absent, table)["runs"] if run["method"] == "prompted"]
    edit(config, "datasets/pvminer/folder", "some/where")
    private = resolve_study(config, KNOWN)  # accepted, since its prompts are not sent
    asked = {run["dataset"] for run in job.table_settings(private, "claims")["runs"] if run["method"] == "prompted"}
    assert asked == {"scierc", "phee"}
    assert "prompted" not in job.table_settings(private, "pvminer")["rows"]


def test_claims_take_their_axes_from_the_other_tables_and_the_families_that_a_data_set_has():
    study = resolve_study(load("config"), KNOWN)
    claims = study.analyses["claims"]
    assert claims["datasets"] == ["scierc", "phee"] and claims["models"] == list(study.models)
    assert claims["metrics"] == ["semantic_label", "relational_linking", "textual_grounding"]
    assert claims["rivals"] == [method for method in study.methods if method != "tab_po"]
    settings = job.table_settings(study, "claims")
    assert settings["layout"] == "claims" and settings["rivals"] == ["sft", *claims["rivals"]]
    of_phee = job.metric_settings(study, "relational_linking")  # the table of a metric is not of data sets without it
    assert "phee" not in {run["dataset"] for run in of_phee["runs"]}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("method", "tabpo", "tables.claims.method names tabpo; did you mean tab_po?"),
        ("method", "sft", "tables.claims.method names sft; "),
        ("rivals", ["tab_po"], "tables.claims.rivals names tab_po; "),
        (
            "datasets",
            ["phe"],
            "tables.claims.datasets names phe; did you mean phee? all tables of scores together has: ",
        ),
        ("metrics", ["reward_margin"], "tables.claims.metrics names reward_margin; "),
    ],
)
def test_claims_that_a_study_cannot_make_are_refused(path, value, message):
    config = load("config")
    edit(config, f"tables/claims/{path}", value)
    assert refusal(config).startswith(message)


def test_labels_and_data_sets_side_by_side_take_the_metrics_that_each_data_set_has():
    config = load("config")
    study = resolve_study(config, KNOWN)
    assert study.analyses["labels"]["metrics"] == ["ner_strict", "triple", "rel"]
    settings = job.table_settings(study, "labels")
    assert settings["rows"] == ["sft", "dpo", "rpo", "tab_po"] and "majority" not in {
        run["method"] for run in settings["runs"]
    }
    side = job.table_settings(study, "side_by_side")
    assert list(side["by_dataset"]) == ["scierc", "scierc_document", "phee"]  # pvminer's folder is null
    assert side["metrics"] == ["ner_strict", "rel", "conll", "code", "triple"]
    assert side["tested"] == ["ner_strict", "triple", "rel"] and side["against"] == "sft"
    del config["tables"]["side_by_side"]["metrics"]
    by_default = resolve_study(config, KNOWN).analyses["side_by_side"]["metrics"]
    assert by_default["scierc"] == ["ner_strict", "rel"] and by_default["phee"] == ["triple"]


def test_sensitivity_finds_the_methods_that_differ_in_one_parameter_alone():
    study = resolve_study(load("extended"), KNOWN)
    assert study.analyses["tau"]["values"] == {
        **{"tab_po_tau_0.5": 0.5, "tab_po_tau_0.66": 0.66, "tab_po_tau_0.8": 0.8, "tab_po": 0.9},
        **{"tab_po_tau_0.99": 0.99, "tab_po_ungated": 1.0, "tab_po_tau_mean": "mean"},
    }
    assert list(study.analyses["tau"]["values"])[-1] == "tab_po_tau_mean"  # texts come after numbers
    assert list(study.analyses["lambda"]["values"].values()) == [0.0, 0.5, 1.5]
    settings = job.table_settings(study, "tau")
    assert settings["rows"] == ["sft", *study.analyses["tau"]["values"]] and settings["against"] == "tab_po"
    assert "tab_po" not in settings["tested_rows"] and len(settings["tested_rows"]) == 6
    figure = job.sensitivity_figure_settings(study, "scierc", "llama-3.1-8b", "tau")
    assert {run["model"] for run in figure["runs"]} == {"llama-3.1-8b"} and list(figure["lines"]) == ["tab_po"]
    assert "figures/sensitivity/scierc/llama-3.1-8b/tau.svg" in job.run_figures(study)


def test_noise_trains_copies_of_methods_that_differ_in_flips_alone():
    study = resolve_study(load("extended"), KNOWN)
    rates = study.analyses["noise"]["rates"]
    assert list(rates) == ["dpo", "tab_po"]
    assert rates["dpo"] == {"dpo": 0.0, "dpo+flip0.1": 0.1, "dpo+flip0.2": 0.2, "dpo+flip0.4": 0.4}
    assert study.methods["tab_po+flip0.2"] == study.methods["tab_po"] | {"pairing": "mixed+flip0.2"}
    assert study.pairings["mixed+flip0.2"] == study.pairings["mixed"] | {"flip_rate": 0.2}
    model = "llama-3.1-8b"
    assert study.training[model, "tab_po+flip0.2"] == study.training[model, "tab_po"]
    clean, noisy = (job.run_settings(study, "scierc", model, name, "1") for name in ("dpo", "dpo+flip0.1"))
    assert {**noisy, "method": clean["method"]} == clean
    settings = job.table_settings(study, "noise")
    assert settings["rows"] == ["sft", *rates["dpo"], *rates["tab_po"]]
    figure = job.sensitivity_figure_settings(study, "scierc", model, "noise")
    assert figure["lines"] == rates and figure["setting"] == "flip_rate"
    assert "figures/sensitivity/scierc/llama-3.1-8b/noise.svg" in job.run_figures(study)
    shown = {run["method"] for run in job.metric_settings(study, "rel")["runs"]}
    assert "dpo" in shown and not any("+flip" in name for name in shown)  # copies are rows of this table alone


def test_sensitivity_finds_methods_that_differ_in_a_setting_of_training_alone(demo):
    rate = demo["training"]["preference"]["learning_rate"]
    demo["methods"] |= {
        "slow": {"loss": "dpo", "params": {"beta": 0.1}, "training": {"learning_rate": rate / 10}},
        "fast": {"loss": "dpo", "params": {"beta": 0.1}, "training": {"learning_rate": 10 * rate}},
        "fast_and_long": {"loss": "dpo", "params": {"beta": 0.1}, "training": {"learning_rate": 9 * rate, "steps": 99}},
        "other_loss": {"loss": "ipo_sum", "params": {"beta": 0.1}, "training": {"learning_rate": 9 * rate}},
        "same": {"loss": "dpo", "params": {"beta": 0.1}},
    }
    entry = {"kind": "sensitivity", "caption": "Rates.", "datasets": ["demo_abstracts"], "method": "dpo"}
    demo["tables"]["rates"] = entry | {"setting": "learning_rate"}
    values = resolve_study(demo, KNOWN).analyses["rates"]["values"]
    assert values == {"slow": rate / 10, "dpo": rate, "fast": 10 * rate} and list(values) == ["slow", "dpo", "fast"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "labels", "metrics": ["rell"]}, "tables.new.metrics names rell; did you mean rel?"),
        ({"kind": "labels", "metrics": ["ner_boundary"]}, "tables.new.metrics names ner_boundary; "),
        ({"kind": "labels", "methods": ["tabpo"]}, "tables.new.methods names tabpo; did you mean tab_po?"),
        ({"kind": "side_by_side", "metrics": {"demo": ["rel"]}}, "tables.new.metrics names demo; "),
        (
            {"kind": "side_by_side", "metrics": {"demo_abstracts": ["code"]}},
            "tables.new.metrics.demo_abstracts names code; ",
        ),
        (
            {"kind": "side_by_side", "tests": {"metrics": ["triple"]}},
            "tables.new.tests.metrics names triple; tables.new.metrics has: ner_strict, rel",
        ),
        (
            {"kind": "sensitivity", "method": "tab_po", "setting": "taw"},
            "tables.new.setting names taw; did you mean tau?",
        ),
        (
            {"kind": "sensitivity", "method": "tab_po", "setting": "tau"},
            "tables.new.setting: no method differs from tab_po in tau alone; accepted: a study with methods that do; of"
            " its loss it has: tab_po",
        ),
        (
            {
                "kind": "sensitivity",
                "method": "tab_po",
                "setting": "tau",
                "datasets": ["demo_abstracts", "demo_messages"],
            },
            "tables.new.metrics is not given, and its data sets share none of ner_strict, ",
        ),
    ],
)
def test_further_tables_that_a_study_cannot_make_are_refused(demo, table, message):
    demo["tables"]["new"] = {"caption": "New.", "datasets": ["demo_abstracts"]} | table
    assert refusal(demo).startswith(message)


def test_a_study_whose_folders_are_all_null_is_refused(demo):
    for name in demo["datasets"]:
        demo["datasets"][name]["folder"] = None
    assert refusal(demo) == (
        "datasets.demo_abstracts.folder is null, which leaves it out, and no data set remains; accepted: the path of a"
        " folder"
    )
    del demo["datasets"]["demo_messages"]["folder"], demo["tables"]["messages"]
    assert refusal(demo).endswith("which leaves it out, and no table remains; accepted: the path of a folder")


def test_tables_of_other_tests_have_no_rows_of_test_alone_and_are_not_exported():
    demo = load("demo")
    demo["datasets"]["demo_abstracts"] = dict.fromkeys(("max_prompt_tokens", "max_completion_tokens"), 64) | {
        "source": "scier",
        "unit": "sentence",
        "prompt": "bare",
        "ontology": "scierc",
    }
    table = {"caption": "Far.", "datasets": ["demo_abstracts"], "metrics": ["rel"], "split": "test_ood"}
    demo["tables"] |= {"far": table}
    study = resolve_study(demo, KNOWN)
    assert study.other_tests() == ["test_ood"] and "far" not in study.tables_of_test()
    settings = job.table_settings(study, "far")
    assert (
        settings["split"] == "test_ood" and settings["by_sentence"] == [] and " Split: test_ood." in settings["caption"]
    )
    assert settings["rows"][-2:] == ["dictionary", "majority"]
    assert job.macro_settings(study)["other_tests"] == ["far"]
    demo["tables"]["far"]["split"] = "test_odd"
    message = (
        "tables.far.split names test_odd; did you mean test_ood? demo_abstracts, as its tests, has: test, test_ood"
    )
    assert refusal(demo) == message
    demo["datasets"]["demo_abstracts"]["other_tests"] = {"dev_select": "a.json"}
    assert refusal(demo).startswith("datasets.demo_abstracts.other_tests has dev_select; accepted: names other than")


def test_a_null_revision_is_taken_from_the_lock():
    study = resolve_study(load("config"), KNOWN)
    source = {"hub": "Qwen/Qwen2.5-1.5B-Instruct", "revision": "0" * 40}
    limits = {"max_prompt_tokens": 2048, "max_completion_tokens": 1024}
    assert job.base_settings(study, "scierc", "qwen2.5-1.5b") == {
        "source": source,
        "prompt": "instruct",
        "limits": limits,
    }
    assert job.base_settings(study, "scierc", "qwen2.5-7b")["source"]["revision"] is None


GGUF = {"precision": "bf16", "attention": "eager", "resources": "cpu"}
NOISE = {"kind": "noise", "caption": "N.", "datasets": ["demo_messages"], "methods": ["dpo"], "flip_rates": [0.1]}
RECIPE = {"heldout": "dev_confusion", "negatives": 1, "edits": 1, "smoothing": 1.0}

OWN = {"unit": "document", "prompt": "bare", "ontology": "scierc"}
OWN |= {"max_prompt_tokens": 128, "max_completion_tokens": 200}

MISTAKES = [
    # shape
    ("seedz", [1], "the study has an unknown key seedz; did you mean seeds? it takes: results, seeds, presets"),
    ("training/sft/learning_rat", 1.0, "training.sft has an unknown key learning_rat; did you mean learning_rate?"),
    ("methods/dpo", {"prams": {}}, "methods.dpo has an unknown key prams; did you mean params? it takes: loss, params"),
    ("seeds", [], "seeds is []; accepted: a list, items at least 1"),
    ("seeds", [1.0], "seeds.0 is 1.0; accepted: a whole number, at least 0"),
    ("presets", "matchd", "presets is 'matchd'; did you mean matched? accepted: matched, published"),
    ("datasets/demo_abstracts/source", "scirc", "datasets.demo_abstracts.source is 'scirc'; did you mean scierc? acc"),
    ("training/sft/learning_rate", -1, "training.sft.learning_rate is -1; accepted: a number, above 0, at most 1"),
    ("training/sft/learning_rate", "1e-4", "(YAML reads 1e-4 as text: write 1.0e-4)"),
    ("training/sft/learning_rate", "1.5e4", "(YAML reads 1.5e4 as text: write 1.5e+4)"),
    ("training/preference/lora", {"r": 8}, "training.preference.lora lacks the key alpha: Scale of the adapters"),
    ("pairings/mixed/edits", 4, "pairings.mixed.edits is 4; accepted: a whole number, at least 1, at most 3"),
    ("results", "a{b}", "results is 'a{b}'; accepted: a path without line breaks, tabs, backslashes or braces { }"),
    ("results", "a\nb", r"results is 'a\nb'; accepted: a path without line breaks"),
    (
        "models/tiny/scratch/vocab_size",
        10,
        "models.tiny.scratch.vocab_size is 10; accepted: a whole number, at least 323",
    ),
    (
        "methods/dpo",
        {"params": {"beta": [1]}},
        "methods.dpo.params.beta is [1]; accepted: true or false or a number or a",
    ),
    (
        "training/sft",
        {"lora": {"r": 8, "alpa": 16}},
        "lora has an unknown key alpa; did you mean alpha? it takes: r, al",
    ),
    ("training/sft/epochs", None, "training.sft.epochs is None; accepted: a number, above 0"),
    ("training/sft/max_grad_norm", float("nan"), "training.sft.max_grad_norm is nan; accepted: a number, above 0"),
    ("methods", {1: None}, "methods has an unknown key 1; it takes: names that are texts"),
    # names and seeds
    ("seeds", [3, 1, 3], "seeds has 3 twice"),
    ("methods/DPO", {"loss": "dpo"}, "methods.DPO is no name; accepted: letters from a to z and digits, after"),
    ("methods/sft", {"loss": "dpo"}, "methods.sft is a reserved word"),
    ("models/prompts", {}, "models.prompts lacks the key precision"),
    # datasets
    ("datasets/demo_abstracts/unit", "document", "the source demo_abstracts has: sentence"),
    ("datasets/demo_abstracts/source", "scierc", "datasets.demo_abstracts: the source scierc takes no generate"),
    ("datasets/demo_abstracts/folder", "own", "the source demo_abstracts is generated and takes no folder"),
    ("datasets/demo_abstracts/dev_share", 0.1, "the source demo_abstracts has a dev split and takes no dev_share"),
    (
        "datasets/own",
        OWN | {"source": "custom"},
        "datasets.own: the source custom needs a folder with train, dev and t",
    ),
    (
        "datasets/own",
        OWN | {"source": "pvminer", "folder": "own"},
        "has the answer format entities; the source pvminer",
    ),
    (
        "datasets/own",
        OWN | {"source": "custom", "folder": "own", "ontology": "own/labels.yaml"},
        "names own/labels.yaml",
    ),
    (
        "datasets/own",
        OWN | {"source": "custom", "folder": "own", "unit": "page"},
        "datasets.own.unit is 'page'; accept",
    ),
    (
        "datasets/demo_abstracts/demonstrations",
        2,
        "demonstrations is for prompts that instruct; this one has prompt: b",
    ),
    (
        "datasets/demo_abstracts/ontology",
        "own/{labels}.yaml",
        "ontology is 'own/{labels}.yaml'; accepted: a path without line breaks, tabs, backslashes or braces { }",
    ),
    ("training/sft/keep", "best", "training.sft.keep is 'best'; did you mean dev_best? accepted: last, dev_best"),
    ("logging", "mlflow", "logging is 'mlflow'; accepted: none, tensorboard, wandb"),
    (
        "datasets/demo_abstracts/second_annotator",
        {"test": "own/second.jsonl"},
        "datasets.demo_abstracts: the source demo_abstracts is generated and takes no second_annotator",
    ),
    (
        "datasets/own",
        OWN | {"source": "custom", "folder": "own", "unit": "document", "second_annotator": {"test": "published"}},
        "datasets.own.second_annotator.test is published; the source custom has no published second annotation (those"
        " that have: phee); accepted: the path of a file or folder",
    ),
    (
        "datasets/demo_abstracts/second_annotator",
        {"tests": "own/second.jsonl"},
        "datasets.demo_abstracts.second_annotator has an unknown key tests; did you mean test? it takes: train, dev, t",
    ),
    (
        "pairings/people",
        {"confusions": "disagreement", "negatives": 1, "edits": 1, "smoothing": 1.0},
        "pairings.people draws from disagreement, and datasets.demo_abstracts has no second_annotator of train or dev",
    ),
    # there are no keys that would send private text elsewhere
    (
        "training/sft/stop_collapsed",
        True,
        "training.sft.stop_collapsed has no effect in SFT; accepted under preference",
    ),
    ("training/sft/watch_steps", 5, "training.sft.watch_steps has no effect"),
    (
        "training/sft/lora",
        {"r": 8, "alpha": 16, "merge": False},
        "training.sft.lora.merge is false; accepted in SFT: true, since adapters of losses lie on top of its model",
    ),
    ("models/tiny/training", {"sft": {"watch_prompts": 5}}, "models.tiny.training.sft.watch_prompts has no effect"),
    ("training/sft/report_to", "wandb", "training.sft has an unknown key report_to"),
    ("datasets/demo_abstracts/ontology", "sierc", "datasets.demo_abstracts.ontology names sierc; did you mean scierc?"),
    ("datasets/demo_abstracts/ontology", "phee", "the answer format results; the source demo_abstracts has entities"),
    # models and machines
    ("models/tiny/hub", "a/b", "models.tiny has hub and scratch; exactly one of hub, folder, gguf, scratch"),
    (
        "models/tiny/gguf",
        {"path": "a.gguf"},
        "models.tiny has gguf and scratch; exactly one of hub, folder, gguf, scratch",
    ),
    (
        "models/tiny",
        {**GGUF, "gguf": {"path": "a.bin"}},
        "models.tiny.gguf.path is 'a.bin'; accepted: a path that ends in .gguf",
    ),
    (
        "models/tiny",
        {**GGUF, "gguf": {"package": "a", "file": "a.gguf"}},
        "models.tiny.gguf.package is 'a'; accepted: a name and a version, like name==1.0.0",
    ),
    (
        "models/tiny",
        {**GGUF, "gguf": {"package": "a==1", "file": "a.gguf"}},
        "models.tiny.gguf has file, package; accepted: path; or package, file, sha256",
    ),
    ("models/tiny/revision", None, "models.tiny.revision is for hub models; this one has scratch"),
    (
        "models/tiny/endpoint",
        {"url": "http://localhost", "model": "a"},
        "models.tiny has an unknown key scratch; it ta",
    ),
    ("models/gpt", {"endpoint": {"url": "http://localhost"}}, "models.gpt.endpoint lacks the key model: Name of the"),
    ("models/gpt", {"endpoint": "https://a-key@host"}, "models.gpt.endpoint is a text; accepted: a mapping"),
    (
        "models/gpt",
        {"endpoint": {"url": "http://localhost", "model": date(2026, 1, 1)}},
        "models.gpt.endpoint.model is a date; accepted: a text, characters at least 1",
    ),
    ("models/gpt", "https://a-key@host", "models.gpt is a text; accepted: a mapping"),
    ("models", [{"endpoint": "a-key"}], "models is a list; accepted: a mapping, entries at least 1"),
    ("seeds", {"endpoint": "a-key"}, "seeds is a mapping; accepted: a list"),
    (
        "models/gpt",
        {"endpoint": {"url": "http://localhost", "model": "a", "token_cap": "a-key"}},
        "models.gpt.endpoint.token_cap is a text; accepted: max_tokens, max_completion_tokens",
    ),
    (
        "models/gpt",
        {"endpoint": {"url": "localhost:8000", "model": "a"}},
        "models.gpt.endpoint.url is no address; accepted: http(s)://host[:port]",
    ),
    (
        "models/gpt",
        {"endpoint": {"url": "http://localhost", "model": "a", "temperature": 1}},
        "models.gpt.endpoint has an unknown key temperature; it takes: url, model, served_model, key_variable, t",
    ),
    ("methods/prompted", {"loss": "dpo"}, "methods.prompted is a reserved word"),
    ("models/tiny/resources", "gpu", "models.tiny.resources names gpu; did you mean cpu? resources has: cpu"),
    ("models/tiny/methods", ["dpo", "dop"], "models.tiny.methods names dop; did you mean dpo? methods has: dpo, simpo"),
    ("models/tiny/scratch/heads", 3, "3 heads do not divide hidden_size 128 into even sizes"),
    ("models/tiny/scratch/architecture", "llama", "copy_circuit needs architecture qwen2"),
    ("models/tiny/scratch/max_positions", 100, "is 100; datasets.demo_abstracts allows prompts and answers of 328"),
    ("resources/cpu/gpus", 2, "resources.cpu: 1 processes on 2 gpus"),
    ("resources/cpu/nodes", 2, "resources.cpu: 1 processes cannot be shared equally by 2 nodes"),
    ("resources/cpu/processes", 3, "models.tiny with sft: batch_size 32 is no multiple of 30, which is 3 processes x"),
    # methods
    ("methods/own", {}, "methods.own has no loss and is no preset of the family matched; presets are: dpo, simpo"),
    (
        "methods/own",
        {"loss": "tabpo"},
        "methods.own.loss names tabpo; did you mean tab_po? tabpo/losses has: apo_down",
    ),
    ("methods/dpo", {"loss": "rpo"}, "methods.dpo.loss is rpo, but the preset of that name has dpo: rename the method"),
    ("methods/dpo", {"loss": "dpoo"}, "methods.dpo.loss names dpoo; did you mean dpo"),
    ("methods/dpo", {"pairing": "mxed"}, "methods.dpo.pairing names mxed; did you mean mixed? pairings has: mixed"),
    ("pairings/mixed/confusions", "expert", "confusions expert takes exactly: confusions, edits, heldout, neg"),
    ("pairings/own", {**RECIPE, "confusions": "mixed"}, "mixed takes exactly: confusions, edits, expert_share"),
    ("pairings/mixed/kinds", ["label", "lable"], "pairings.mixed: kinds has lable; accepted: one_of_each, or some of"),
    (
        "pairings/mixed/kinds",
        [],
        "pairings.mixed: kinds has nothing; accepted: one_of_each, or some of label, sublabel",
    ),
    ("pairings/mixed/kinds", {"label": 0.7, "boundary": 0.2}, "has the shares 0.7, 0.2; accepted: shares above 0 that"),
    ("pairings/mixed/kinds", {"label": 1.5, "boundary": -0.5}, "has the shares 1.5, -0.5; accepted: shares above 0"),
    ("pairings/mixed/kinds", "one_of_each", "kinds one_of_each takes negatives: 3 and edits: 1, got 1 and 1"),
    ("pairings/mixed/kinds", "each", "pairings.mixed.kinds is 'each'; accepted"),
    ("pairings/mixed/max_token_edits", 0, "pairings.mixed.max_token_edits is 0; accepted"),
    (
        "pairings/own",
        {**RECIPE, "confusions": "on_policy"},
        "confusions on_policy takes exactly: confusions, and optionally flip_rate",
    ),
    ("methods/dpo", {"training": {"steps": 1, "epochs": 1}}, "methods.dpo.training has both steps and epochs"),
    ("methods/dpo", {"training": {"batch_size": 48}}, "models.tiny with dpo: batch_size 48 is no multiple of 32"),
    # tables
    (
        "tables/messages/methods",
        ["tdpo3"],
        "tables.messages.methods names tdpo3; did you mean dpo? methods has: dpo, simpo",
    ),
    ("tables/messages/models", ["tny"], "tables.messages.models names tny; did you mean tiny? models has: tiny"),
    ("tables/messages/datasets", ["phee"], "tables.messages.datasets names phee; datasets has: demo_abstracts"),
    ("tables/messages/metrics", ["rel"], "tables.messages.metrics names rel; demo_messages has: code, sub_code, span"),
    ("tables/messages/tests", {"against": "dop"}, "tables.messages.tests.against names dop; did you mean dpo? tables."),
    ("tables/messages/tests", {"methods": ["dop"]}, "tests.methods names dop; did you mean dpo? tables.messages has:"),
    (
        "tables/messages/tests",
        {"metrics": ["cod"]},
        "tests.metrics names cod; did you mean code? tables.mes",
    ),
    (
        "tables/messages/tests",
        {"against": {"model": "tiny", "method": "prompted"}},
        "tests.against.method names prompted; tables.messages has: sft, ",
    ),
    (
        "tables/stability",
        {"kind": "stability", "caption": "S.", "datasets": ["demo_messages"], "against": "dop"},
        "tables.stability.against names dop; did you mean dpo? tables.stability.methods and sft has: sft, dpo",
    ),
    (
        "tables/stability",
        {"kind": "stability", "caption": "S.", "datasets": ["demo_messages"], "methods": ["tdpo3"]},
        "tables.stability.methods names tdpo3; did you mean dpo? tables.stability.models has: dpo",
    ),
    (
        "tables/noise",
        {**NOISE, "methods": ["dop"]},
        "tables.noise.methods names dop; did you mean dpo? tables.noise.models has: dpo",
    ),
    ("tables/noise", {**NOISE, "flip_rates": [0.2, 0.1]}, "tables.noise.flip_rates is [0.2, 0.1]; accepted: different"),
    (
        "tables/noise",
        {**NOISE, "flip_rates": [0.6]},
        "tables.noise.flip_rates.0 is 0.6; accepted: a number, ",
    ),
]


def test_a_table_of_stability_has_sft_and_the_methods_of_the_study_and_draws_seeded_samples(demo):
    demo["tables"]["stability"] = {"kind": "stability", "caption": "S.", "datasets": ["demo_messages"]}
    study = resolve_study(demo, KNOWN)
    settings = job.table_settings(study, "stability")
    assert [run["method"] for run in settings["runs"]] == ["sft", *study.methods]
    assert (settings["against"], settings["rows"], settings["samples"]) == ("dpo", list(study.methods), 8)
    drawn = job.sample_settings(study, "demo_messages", "tiny", "1")
    answers = job.generation_settings(study, "demo_messages", "tiny")
    assert drawn == answers | {"samples": 8, "seed": 1}


def test_methods_of_a_model_share_the_precision_of_its_reference(demo):
    lora = {"r": 8, "alpha": 16}
    demo["training"]["preference"]["lora"] = {**lora, "quantize": "nf4"}
    study = resolve_study(demo, KNOWN)
    reference = job.reference_settings(study, "demo_messages", "tiny")
    assert reference["quantize"] == "nf4"
    assert job.held_out_logp_settings(study, "demo_messages", "tiny") == reference | {"quantize": None}
    demo["methods"]["dpo"] = {"training": {"lora": lora}}
    assert refusal(demo) == (
        "methods.dpo.training: lora has quantize null, but training.preference.lora has nf4, with which the reference"
        " of all methods of models.tiny is scored; accepted: one value for both, for example in lora under"
        " models.tiny.training.preference, which overrides every preset"
    )


def test_quantize_of_published_presets_is_the_model_s(demo):
    demo["presets"] = "published"
    demo["training"]["preference"]["lora"] = lora = {"r": 16, "alpha": 32, "quantize": "nf4"}
    expected = "presets published: dpo: lora has quantize null, but training.preference.lora has nf4,"
    assert refusal(demo).startswith(expected)
    demo["models"]["tiny"]["training"] = {"preference": {"lora": lora}}
    study = resolve_study(demo, KNOWN)
    assert {study.training["tiny", method]["lora"]["quantize"] for method in study.methods} == {"nf4"}


def test_no_weights_are_chosen_on_data_that_gave_confusions(demo):
    settings = resolve_study(demo, KNOWN).training
    assert {run["keep"] for run in settings.values()} == {"last"}
    demo["pairings"]["all"] = demo["pairings"]["mixed"] | {"heldout": "dev"}
    demo["methods"]["dpo"] = {"pairing": "all", "training": {"keep": "dev_best"}}
    expected = "keep dev_best chooses on dev_select, but pairings.all takes confusions from all of dev (heldout dev);"
    assert refusal(demo).startswith(f"models.tiny with dpo: {expected}")
    demo["methods"] |= {"dpo": {"pairing": "all"}, "tab_po": {"training": {"keep": "dev_best"}}}
    resolve_study(demo, KNOWN)  # accepted, since tab_po's pairing does not use dev_select
    demo["training"]["sft"]["keep"] = "dev_best"  # refused, since all confusions come from the SFT model
    assert refusal(demo).startswith(f"models.tiny with sft: {expected}")


def test_no_two_models_share_a_folder_of_checkpoints():
    """With names joined by a dot, model c of data set a.b would share folder and lock with model b.c of data set a."""
    rules = "".join(path.read_text() for path in CONFIG.parent.glob("rules/*.smk"))
    folders = re.findall(r'results\("checkpoints/([^"]*)"\)', rules)
    between = [character for folder in folders for character in re.findall(r"\}(.)", folder)]
    assert len(folders) == 7 and between
    assert not [character for character in between if NAME.fullmatch(f"a{character}b")]


def test_no_online_logger_beside_private_data(demo):
    assert resolve_study(demo, KNOWN).logging == "none"
    demo["logging"] = "wandb"
    assert resolve_study(demo, KNOWN).logging == "wandb"
    demo["datasets"]["demo_messages"]["private"] = True
    assert refusal(demo) == (
        "logging is wandb, an online logger, and datasets.demo_messages is private; accepted beside private data:"
        " none, tensorboard"
    )
    demo["logging"] = "tensorboard"
    assert resolve_study(demo, KNOWN).logging == "tensorboard"


def test_paths_are_taken_as_they_are_but_for_the_home_folder(demo, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    for path, resolved in (
        ("results/Dr O'Neil & Söhne ~1", "results/Dr O'Neil & Söhne ~1"),
        ("~/my results", "/home/someone/my results"),
    ):
        assert resolve_study(demo | {"results": path}, KNOWN).results == resolved


@pytest.mark.parametrize(
    ("path", "value", "expected"), MISTAKES, ids=[f"{path}={value}" for path, value, _ in MISTAKES]
)
def test_a_mistake_is_named_with_what_is_accepted(demo, path, value, expected):
    edit(demo, path, value)
    assert expected in refusal(demo)


def test_metrics_of_relations_need_an_ontology_with_relations(demo):
    ontology = demo["datasets"]["demo_abstracts"]["ontology"]
    message = (
        rf"^tables\.\w+\.metrics names rel, but the ontology {ontology} of demo_abstracts has no relations; accepted: "
    )
    resolve_study(demo, KNOWN)
    with pytest.raises(ConfigError, match=message):
        resolve_study(demo, replace(KNOWN, without_relations=[ontology]))


def test_layers_of_training_settings(demo):
    """The layers are the defaults, the study, the preset, the model and the method."""
    demo["presets"] = "published"
    demo["models"]["tiny"]["training"] = {"preference": {"max_grad_norm": 5.0}}
    demo["methods"]["dpo"] = {"training": {"epochs": 2, "batch_size": 96}}
    dpo = resolve_study(demo, KNOWN).training["tiny", "dpo"]
    assert dpo["gradient_checkpointing"] is DEFAULTS["gradient_checkpointing"]
    assert dpo["micro_batch_size"] == 32  # from the study
    assert (dpo["optimizer"], dpo["adam_beta2"]) == ("rmsprop", 0.99)  # from the preset, which overrides the study
    assert dpo["max_grad_norm"] == 5.0  # from the model, which overrides the preset
    assert (dpo["epochs"], dpo["batch_size"]) == (2, 96)  # from the method, which overrides steps and batch_size
    assert "steps" not in dpo
    assert dpo["warmup_steps"] == 150 and "warmup_ratio" not in dpo


def test_a_small_batch_caps_the_micro_batch(demo):
    demo["resources"]["cpu"]["processes"] = 2
    demo["methods"]["dpo"] = {"training": {"batch_size": 8}}
    training = resolve_study(demo, KNOWN).training
    assert training["tiny", "dpo"]["micro_batch_size"] == 4
    assert training["tiny", "rpo"]["micro_batch_size"] == 16


def test_a_batch_smaller_than_the_processes_leaves_some_without_a_share(demo):
    demo["resources"]["cpu"]["processes"] = 8
    demo["methods"]["dpo"] = {"training": {"batch_size": 2}}
    assert resolve_study(demo, KNOWN).training["tiny", "dpo"]["micro_batch_size"] == 1
    demo["methods"]["dpo"] = {"training": {"batch_size": 12}}
    assert refusal(demo) == (
        "models.tiny with dpo: batch_size 12 is no multiple of 8, which is 8 processes x micro_batch_size 1; accepted:"
        " a multiple, or at most 8"
    )


def test_variants_and_ablations_have_the_recipe_of_their_loss(demo):
    demo["presets"] = "published"
    demo["methods"] = {"tab_po_tau_0.5": {}, "mine": {"loss": "dpo"}, "ti_dpo_no_kl": {}, "dpo": {}, "ipo_sum": {}}
    for table in demo["tables"].values():
        table.pop("methods", None)
    study = resolve_study(demo, KNOWN)
    recipes = {name: study.training["tiny", name] for name in study.methods}
    assert study.methods["tab_po_tau_0.5"]["params"] == {"beta": 0.1, "tau": 0.5, "lambda_": 0.5}
    assert (recipes["tab_po_tau_0.5"]["batch_size"], recipes["tab_po_tau_0.5"]["lora"]["r"]) == (2, 16)
    assert recipes["mine"] == recipes["dpo"] and recipes["dpo"]["optimizer"] == "rmsprop"
    assert recipes["ti_dpo_no_kl"] == recipes["ipo_sum"]  # their recipes are unknown, so both have the study's


def test_an_empty_entry_is_its_preset_and_an_entry_changes_it(demo):
    demo["methods"] = {"dpo": None, "tab_po": {"params": {"tau": 0.5}}, "mine": {"loss": "dpo"}}
    methods = resolve_study(demo, KNOWN).methods
    assert methods["dpo"] == {"loss": "dpo", "params": {"beta": 0.1}, "pairing": "mixed"}
    assert methods["tab_po"]["params"] == {"beta": 0.1, "tau": 0.5, "lambda_": 0.5}
    assert methods["mine"] == {"loss": "dpo", "params": {}, "pairing": "mixed"}


@pytest.mark.parametrize("family", ["matched", "published"])
def test_every_preset_is_a_method(demo, family):
    presets = KNOWN.presets[family]
    demo |= {"presets": family, "methods": {name: {} for name in presets}}
    for table in demo["tables"].values():
        table.pop("methods", None)
    study = resolve_study(demo, KNOWN)
    for name, preset in presets.items():
        build_loss(study.methods[name]["loss"], **study.methods[name]["params"])
        training_settings(**study.training["tiny", name])
        assert preset.get("training", {}).items() <= study.training["tiny", name].items()


def test_captions_and_runs_name_dequantised_weights(demo):
    file = {"package": "llm-small==1.0", "file": "small/Small-1B.Q4_1.gguf", "sha256": "0" * 64}
    demo["models"]["small"] = {**GGUF, "gguf": file}
    demo["models"]["whole"] = {**GGUF, "gguf": {"path": "mine/Whole-1B-F16.gguf"}}
    study = resolve_study(demo, KNOWN)
    captions = {
        name: job.run_settings(study, "demo_abstracts", name, "dpo", "1").get("weights")
        for name in study.models
        if name != "gpt"
    }
    assert captions == {
        "tiny": None,
        "small": "dequantised from Small-1B.Q4_1.gguf, which holds 4-bit weights",
        "whole": "dequantised from Whole-1B-F16.gguf",
    }
    assert job.base_settings(study, "demo_abstracts", "small")["source"] == {"gguf": file}
    for caption in (job.table_settings(study, "abstracts")["caption"], job.metric_settings(study, "rel")["caption"]):
        assert caption.endswith(
            " Weights of small: dequantised from Small-1B.Q4_1.gguf, which holds 4-bit weights."
            " Weights of whole: dequantised from Whole-1B-F16.gguf."
        )


def test_settings_of_a_run_hold_what_the_run_needs_and_nothing_else(demo):
    study = resolve_study(demo, KNOWN)
    settings = job.run_settings(study, "demo_abstracts", "tiny", "dpo", "1")
    assert settings["method"] == {"name": "dpo", "loss": "dpo", "params": {"beta": 0.1}, "pairing": "mixed"}
    assert settings["seed"] == 1
    assert settings["numerics"] == {"precision": "fp32", "attention": "sdpa", "threads": 1}
    assert settings["limits"] == {"max_prompt_tokens": 128, "max_completion_tokens": 200}
    assert settings["resources"] == {"processes": 1, "nodes": 1, "gpus": 0}
    assert set(settings) == {
        *("dataset", "model", "method", "seed", "training", "numerics", "limits", "resources"),
    }
    assert job.sft_settings(study, "demo_abstracts", "tiny", "1")["method"] == {"name": "sft"}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("methods/dpo", {"params": {"beta": 0.2}}, {"run dpo"}),
        ("seeds", [1, 2], set()),
        ("tables/messages/caption", "Another.", set()),
        ("training/sft/steps", 10, {"run sft"}),
        ("training/preference/steps", 10, {"run dpo", "run rpo"}),
        ("generation/batch_size", 8, {"generation"}),
        ("generation/constraint", "json_schema", {"generation"}),
        ("pairings/mixed/edits", 2, {"pairing"}),
        ("resources/cpu/runtime", 5, set()),
        ("models/tiny/precision", "bf16", {"run sft", "run dpo", "run rpo", "generation", "reference"}),
    ],
)
def test_a_change_reaches_the_jobs_that_it_concerns(demo, path, value, changed):
    def settings(config: dict) -> dict:
        study = resolve_study(config, KNOWN)
        runs = {f"run {name}": job.run_settings(study, "demo_abstracts", "tiny", name, "1") for name in ("dpo", "rpo")}
        return runs | {
            "run sft": job.sft_settings(study, "demo_abstracts", "tiny", "1"),
            "documents": job.document_settings(study, "demo_abstracts"),
            "prompts": job.prompt_settings(study, "demo_abstracts"),
            "base": job.base_settings(study, "demo_abstracts", "tiny"),
            "generation": job.generation_settings(study, "demo_abstracts", "tiny"),
            "reference": job.reference_settings(study, "demo_abstracts", "tiny"),
            "pairing": job.pairing_settings(study, "demo_abstracts", "mixed", "1"),
        }

    before = settings(demo)
    edit(demo, path, value)
    after = settings(demo)
    assert {name for name in before if before[name] != after[name]} == changed


def test_what_is_private_and_what_prompts_state_depend_on_the_source(demo):
    limits = {"max_prompt_tokens": 128, "max_completion_tokens": 200}
    entry = {"unit": "document", "prompt": "bare", "ontology": "pvminer", "folder": "own", **limits}
    demo["datasets"] |= {"messages": entry | {"source": "pvminer"}, "shown": entry | {"source": "custom"}}
    demo["datasets"]["shown"] |= {"private": False, "context": ["to"], "dev_share": 0.1}
    study = resolve_study(demo, KNOWN)
    names = ("messages", "shown", "demo_abstracts")
    documents = [job.document_settings(study, name) for name in names]
    assert [(item["private"], item["dev_share"]) for item in documents] == [(True, None), (False, 0.1), (False, None)]
    context = [job.prompt_settings(study, name)["context"] for name in names]
    assert context == [["TO_PAT_YN", "previous", "next"], ["to"], []]


def test_demonstrations_and_folds_of_train_exclude_each_other(demo):
    demo["datasets"]["demo_abstracts"] |= {"prompt": "instruct", "demonstrations": 2}
    resolve_study(demo, KNOWN)
    demo["pairings"]["folds"] = demo["pairings"]["mixed"] | {"heldout": "crossfit"}
    assert refusal(demo).startswith(
        "datasets.demo_abstracts.demonstrations shows answers of all of train, and pairings.f"
    )


def test_a_model_behind_an_endpoint_is_a_row_without_seeds_and_training(demo):
    demo["seeds"] = [1, 2]
    demo["models"]["gpt"] = {"endpoint": {"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"}}
    demo["tables"]["abstracts"]["methods"] = ["dpo"]
    study = resolve_study(demo, KNOWN)
    assert (study.trained_models(), study.prompted_models()) == (["tiny"], ["gpt"])
    assert {model for model, _ in study.training} == {"tiny"}
    assert job.ask_settings(study, "demo_abstracts", "gpt") == {
        "model": "gpt",
        "endpoint": {
            **{"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"},
            **{"token_cap": "max_tokens", "concurrency": 4, "timeout_s": 300.0, "retries": 5},
        },
        "max_completion_tokens": 200,
        "unit": "sentence",
        "variants": {"prompts": {"demonstrations": 0, "constraint": "none"}},
    }
    settings = job.table_settings(study, "abstracts")
    assert settings["rows"] == ["sft", "dpo", "prompted", "dictionary", "majority"]
    assert [(run["method"], folder) for run, folder in run_folders(settings["runs"])][-2:] == [
        ("dpo", "demo_abstracts/tiny/dpo/seed2"),
        ("prompted", "demo_abstracts/gpt/prompted"),
    ]
    assert "prompted" not in {run["method"] for run in job.cost_settings(study)["runs"]}
    assert not [file for file in job.audits(study) if "gpt" in file]
    drawn = [
        f"{kind}/{dataset}" for kind in ("training", "changes", "erosion", "gradients") for dataset in study.datasets
    ]
    assert run_figures(study) == [f"figures/{folder}/tiny.svg" for folder in drawn]
    assert job.change_settings(study, "demo_messages", "tiny") == {"method": list(study.methods)[-1]}
    settings = run_figure_settings(study, "demo_messages", "tiny")
    assert [folder for _, folder in run_folders(settings["runs"])] == [
        f"demo_messages/tiny/{method}/seed{seed}" for method in study.methods for seed in study.seeds
    ]


@pytest.mark.parametrize(
    ("url", "private", "accepted"),
    [
        ("https://example.org/v1", True, False),
        ("http://localhost.example.org/v1", True, False),
        ("http://10.0.0.7:8000/v1", True, False),
        ("http://localhost:8000/v1", True, True),
        ("http://127.0.0.3:8000/v1", True, True),
        ("http://[::1]:8000/v1", True, True),
        ("https://example.org/v1", False, True),
    ],
)
def test_private_texts_reach_no_endpoint_but_this_machines(demo, url, private, accepted):
    demo["datasets"]["own"] = OWN | {"source": "custom", "folder": "own"} | ({} if private else {"private": False})
    demo["models"]["gpt"] = {"endpoint": {"url": url, "model": "gpt-x"}}
    if accepted:
        assert resolve_study(demo, KNOWN).prompted_models() == ["gpt"]
    else:
        assert refusal(demo) == (
            "models.gpt.endpoint.url is not on this machine, and datasets.own is private; accepted beside private"
            " data: localhost, 127.0.0.0/8 or ::1"
        )


def test_pretrained_and_prompted_models_complete_test_sentences(demo):
    demo["models"]["gpt"] = {"endpoint": {"url": "https://example.org/v1", "model": "x"}, "datasets": ["demo_messages"]}
    folder = {key: value for key, value in demo["models"]["tiny"].items() if key != "scratch"}
    demo["memorisation"] = ["demo_messages", "demo_abstracts"]
    study = resolve_study(demo, KNOWN)
    assert study.memorised() == ["demo_messages"]  # a model from scratch has read nothing
    demo["models"]["mine"] = folder | {"folder": "/somewhere"}
    study = resolve_study(demo, KNOWN)
    assert [study.probed(name) for name in study.memorised()] == [["gpt", "mine"], ["mine"]]
    settings = job.completion_settings(study, "demo_abstracts", "mine")
    assert settings["constraint"] == "none" and settings["limits"]["max_completion_tokens"] == 256
    assert job.asked_completion_settings(study, "demo_messages", "gpt")["max_completion_tokens"] == 256
    demo["datasets"]["own"] = OWN | {"source": "custom", "folder": "own"}
    demo["memorisation"] = ["own"]  # private: of the endpoint, which is elsewhere, only demo_messages is asked
    assert resolve_study(demo, KNOWN).probed("own") == ["mine"]
    demo["memorisation"] = ["other"]
    assert refusal(demo).startswith("memorisation names other; ")


def test_an_endpoint_is_asked_about_its_data_sets_only(demo):
    demo["models"]["gpt"] = {"endpoint": {"url": "https://example.org/v1", "model": "x"}, "datasets": ["demo_messages"]}
    study = resolve_study(demo, KNOWN)
    folders = [run["dataset"] for run in job.metric_settings(study, "valid")["runs"] if run["method"] == "prompted"]
    assert folders == ["demo_messages"]
    assert "prompted" not in job.table_settings(study, "abstracts")["rows"]
    demo["datasets"]["own"] = OWN | {"source": "custom", "folder": "own"}
    assert resolve_study(demo, KNOWN).asked("gpt") == ["demo_messages"]
    demo["models"]["gpt"]["datasets"] = ["own"]
    assert "is not on this machine, and datasets.own is private" in refusal(demo)
    demo["datasets"]["own"]["folder"] = None
    assert resolve_study(demo, KNOWN).asked("gpt") == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("datasets", ["demo"], "models.gpt.datasets names demo; "),
        ("select_by", "rel", "models.gpt.select_by names rel; "),
        ("variants/one/demonstrations", 2, "models.gpt.variants.one.demonstrations is for prompts that instruct"),
        ("variants/one/shots", 2, "models.gpt.variants.one has an unknown key shots; it takes: demonstrations, const"),
        ("variants/one", "a-key", "models.gpt.variants.one is "),
        ("variants/A b", {}, "models.gpt.variants.A b is no name"),
    ],
)
def test_mistakes_in_variants_are_refused(demo, path, value, message):
    demo["models"]["gpt"] = {
        "endpoint": {"url": "https://example.org/v1", "model": "gpt-x"},
        "variants": {"one": {}, "two": {"constraint": "json_schema"}},
    }
    edit(demo, f"models/gpt/{path}", value)
    assert refusal(demo).startswith(message)


def test_a_model_is_off_while_its_key_is_not_set_and_nothing_was_answered(demo, tmp_path):
    demo["models"]["gpt"] = {"endpoint": {"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"}}
    demo["models"]["here"] = {"endpoint": {"url": "http://localhost", "model": "x"}}
    assert models_without_key(demo["models"], {}, tmp_path) == {"gpt": "A_KEY"}
    assert models_without_key(demo["models"], {"A_KEY": ""}, tmp_path) == {"gpt": "A_KEY"}
    assert models_without_key(demo["models"], {"A_KEY": "secret"}, tmp_path) == {}
    answers = tmp_path / "demo_abstracts/gpt/prompted/variants/one/completions/dev_select.parquet"
    answers.parent.mkdir(parents=True)  # Snakemake makes the folders of a job's outputs before it starts
    assert models_without_key(demo["models"], {}, tmp_path) == {"gpt": "A_KEY"}
    answers.touch()
    assert models_without_key(demo["models"], {}, tmp_path) == {}


def test_tables_about_an_absent_model_are_left_out_too(demo):
    demo["models"]["gpt"] = {"endpoint": {"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"}}
    table = demo["tables"]["abstracts"]
    demo["tables"]["of_gpt"] = table | {"models": ["gpt"]}
    demo["tables"]["against_gpt"] = table | {"tests": {"against": {"model": "gpt", "method": "prompted"}}}
    demo["tables"]["both"] = table | {"models": ["tiny", "gpt"]}
    usual, known = list(resolve_study(demo, KNOWN).tables), replace(KNOWN, without_key={"gpt": "A_KEY"})
    study = resolve_study(demo, known)
    assert list(study.tables) == [name for name in usual if name not in ("of_gpt", "against_gpt")]
    assert study.tables["both"]["models"] == ["tiny"] and list(study.models) == ["tiny"]
    with pytest.raises(ConfigError, match=r"gpt.endpoint.key_variable is A_KEY, which is not set .* and no model rem"):
        resolve_study(demo | {"models": {"gpt": demo["models"]["gpt"]}}, known)
    with pytest.raises(ConfigError, match=r"A_KEY, which is not set in the environment; .* and no table remains"):
        resolve_study(demo | {"tables": {"of_gpt": demo["tables"]["of_gpt"]}}, known)


def test_prompts_of_variants_are_those_of_the_data_set_where_they_can_be(demo):
    demo["datasets"]["demo_abstracts"] |= {"prompt": "instruct", "demonstrations": 2}
    demo["models"]["gpt"] = {
        "endpoint": {"url": "https://example.org/v1", "model": "gpt-x"},
        "datasets": ["demo_abstracts"],
        "variants": {"usual": {}, "same": {"demonstrations": 2}, "none": {"demonstrations": 0}},
    }
    study = resolve_study(demo, KNOWN)
    folders = [job.variant_prompts(study, "demo_abstracts", "gpt", name) for name in ("usual", "same", "none")]
    assert folders == ["demo_abstracts/prompts", "demo_abstracts/prompts", "demo_abstracts/prompts/shots0"]
    assert job.shot_settings(study, "demo_abstracts", "0")["demonstrations"] == 0
    assert job.choice_settings(study, "gpt") == {"metric": "semantic_label", "variants": ["usual", "same", "none"]}
    asked = job.variant_settings(study, "demo_abstracts", "gpt", "usual")["variants"]
    assert asked == {"usual": {"demonstrations": 2, "constraint": "none"}}


def test_a_table_lists_its_runs_in_order_and_leaves_out_what_a_model_is_not_trained_with(demo):
    demo["seeds"] = [2, 1]
    demo["models"]["tiny"]["methods"] = ["dpo"]
    demo["tables"]["abstracts"]["methods"] = ["rpo", "dpo"]
    settings = job.table_settings(resolve_study(demo, KNOWN), "abstracts")
    assert settings["rows"] == ["sft", "rpo", "dpo", "dictionary", "majority"]
    assert [(run["method"], run["seed"], folder) for run, folder in run_folders(settings["runs"])] == [
        ("dictionary", None, "demo_abstracts/dictionary"),
        ("majority", None, "demo_abstracts/majority"),
        ("sft", 2, "demo_abstracts/tiny/sft/seed2"),
        ("sft", 1, "demo_abstracts/tiny/sft/seed1"),
        ("dpo", 2, "demo_abstracts/tiny/dpo/seed2"),
        ("dpo", 1, "demo_abstracts/tiny/dpo/seed1"),
    ]


def test_the_papers_largest_table_fits_a_command_line():
    study = resolve_study(yaml.safe_load((CONFIG / "config.yaml").read_text()), KNOWN)
    assert len(list(run_folders(job.metric_settings(study, "valid")["runs"]))) > 600
    assert len(json.dumps(job.metric_settings(study, "valid"))) < 32_768  # Linux takes 131,072 characters an argument


@pytest.mark.parametrize("name", ["scierc", "phee"])
def test_metrics_are_those_that_are_scored(name):
    ontology = read_ontology(CONFIG / f"ontologies/{name}.yaml")
    unit, nothing = Unit("D", "D", 0, "a", ((0, 1),), (), (), clusters=()), [Prediction("D", "ok", ())]
    readings = {"repaired": nothing, "in_order": nothing}
    scored = {
        metric if convention == HEADLINE else f"{metric}@{convention}"
        for metric, conventions in all_scores([unit], nothing, readings, ontology).items()
        for convention in conventions
    }
    assert scored | set(VALIDITY) == set(METRICS[ontology.answer])


def test_a_metrics_table_takes_the_datasets_whose_tables_have_it(demo):
    study = resolve_study(demo, KNOWN)
    datasets = {name: {run["dataset"] for run in job.metric_settings(study, name)["runs"]} for name in study.metrics()}
    assert datasets["rel"] == {"demo_abstracts"}
    assert datasets["triple"] == {"demo_messages"}
    assert datasets["valid"] == {"demo_abstracts", "demo_messages"}


def test_weights_of_examples_are_part_of_a_methods_settings_only_where_given(demo):
    demo["methods"] |= {
        "sft_reweighted": None,
        "dpo_rare": {"loss": "dpo", "example_weights": {"strategy": "effective_number", "cap": 2}},
    }
    study = resolve_study(demo, KNOWN)
    whole = {"b": 0.99, "a": 1.0, "combine": "mean", "cap": 3.0}
    assert study.methods["sft_reweighted"]["loss"] == "sft_continued"
    assert study.methods["sft_reweighted"]["example_weights"] == whole | {"strategy": "effective_number"}
    rare = job.run_settings(study, "demo_abstracts", "tiny", "dpo_rare", 1)["method"]["example_weights"]
    assert rare == whole | {"strategy": "effective_number", "cap": 2}
    assert "example_weights" not in job.run_settings(study, "demo_abstracts", "tiny", "dpo", 1)["method"]
    demo["methods"]["dpo_rare"]["example_weights"] = {"strategy": "rare"}
    assert refusal(demo).startswith("methods.dpo_rare.example_weights.strategy is 'rare'; accepted: effective_number")


def test_methods_that_others_read_log_probs_of_are_trained_but_are_no_rows(demo):
    demo["methods"] = {"tis_dpo": None, "dpo": None, "sepo_short": {"loss": "sepo", "params": {"k": 0.1}}}
    demo["tables"]["abstracts"].pop("methods", None)
    study = resolve_study(demo, KNOWN)
    assert list(study.methods) == ["tis_dpo", "dpo", "sepo_short", "dpo_reversed"]
    assert study.beside == ("dpo_reversed",)
    assert study.methods["dpo_reversed"] == {
        "loss": "cdpo",
        "params": {"beta": 0.1, "epsilon": 1.0},
        "pairing": "mixed",
    }
    assert study.methods["sepo_short"]["token_scores"] == {"dpo_logps": "dpo"}
    assert study.training["tiny", "dpo_reversed"] == study.training["tiny", "dpo"]
    table = job.table_settings(study, "abstracts")
    assert "dpo_reversed" not in table["rows"] and {run["method"] for run in table["runs"]}.isdisjoint({"dpo_reversed"})
    assert "dpo_reversed" not in job.metric_settings(study, "ner_strict")["rows"]
    costs = job.cost_settings(study)
    assert costs["needed"] == {"tis_dpo": ["dpo", "dpo_reversed"], "sepo_short": ["dpo"]}
    assert "dpo_reversed" in {run["method"] for run in costs["runs"]}
    assert job.token_score_files(study, "demo_abstracts", "tiny", "tis_dpo", "1") == [
        "demo_abstracts/tiny/token_scores/mixed/dpo/seed1.parquet",
        "demo_abstracts/tiny/token_scores/mixed/dpo_reversed/seed1.parquet",
    ]
    assert job.token_score_files(study, "demo_abstracts", "tiny", "dpo", "1") == []


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            {"dpo_logps": "dop"},
            "methods.mine.token_scores.dpo_logps names dop; did you mean ",
        ),
        ({"dpo_logps": "sepo"}, "methods.mine.token_scores.dpo_logps names sepo, which has token_scores itself; accep"),
        (
            {"logps": "dpo"},
            "methods.mine.token_scores has an unknown key logps; did you mean dpo_logps? it",
        ),
    ],
)
def test_refused_token_scores(demo, scores, message):
    demo["methods"]["mine"] = {"loss": "sepo", "token_scores": scores}
    assert refusal(demo).startswith(message)


def test_a_method_for_log_probs_is_on_the_pairs_of_the_method_that_names_it(demo):
    demo["pairings"]["other"] = demo["pairings"]["mixed"]
    demo["methods"] = {"tis_dpo": {"pairing": "other"}}
    demo["tables"] = {"abstracts": demo["tables"]["abstracts"] | {"methods": ["tis_dpo"]}}
    study = resolve_study(demo, KNOWN)
    assert {study.methods[name]["pairing"] for name in ("dpo", "dpo_reversed")} == {"other"}
    demo["methods"]["sepo"] = None
    assert refusal(demo).startswith("methods.sepo.token_scores.dpo_logps names dpo, which the study lacks, for the")
